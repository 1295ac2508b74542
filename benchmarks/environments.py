"""
Create the virtual environments of the benchmarks in ``.venv-bench``.

Run ``python -m benchmarks.environments [NAME...]``.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

from benchmarks import contenders

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / ".venv-bench"
# The environment of the process that runs the benchmarks.
HARNESS = "harness"
# The environments in which this package is installed, built from the source tree.
WITH_PACKAGE = {HARNESS, contenders.OURS.environment}

REQUIREMENTS = {each.environment: each.requirements for each in contenders.MEASURED}
# The plain project needs only the common packages.
REQUIREMENTS |= {contenders.PLAIN.environment: (), HARNESS: contenders.HARNESS}


def _sources() -> str:
    """Return a digest of the files from which the wheel is built."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    for file in sorted((ROOT / "src").rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@cache
def python(name: str) -> str:
    """
    Return the Python interpreter of the environment ``name``.

    Creates or updates the environment if necessary. Raises ``CalledProcessError`` if
    the requirements cannot be installed.
    """
    directory = DIRECTORY / name
    interpreter = str(directory / "bin" / "python")
    pip = [interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    listed = [*contenders.COMMON, *REQUIREMENTS[name]]
    if _is_renewed(directory / "requirements.stamp", "\n".join([sys.version, *listed])):
        venv.create(directory, clear=True, symlinks=True, with_pip=True)
        subprocess.run([*pip, "install", *listed], check=True)
        (directory / "requirements.stamp").write_text("\n".join([sys.version, *listed]))
    if name in WITH_PACKAGE and _is_renewed(directory / "wheel.stamp", _sources()):
        command = [*pip, "install", "--no-deps", "--force-reinstall", str(ROOT)]
        subprocess.run(command, check=True)
        (directory / "wheel.stamp").write_text(_sources())
    return interpreter


def _is_renewed(stamp: Path, wanted: str) -> bool:
    return not stamp.exists() or stamp.read_text() != wanted


def main() -> None:
    for name in sys.argv[1:] or REQUIREMENTS:
        try:
            print(f"{name}: {python(name)}", flush=True)
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
