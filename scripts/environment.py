"""
Makes the virtual environment that a command runs in, from locked requirements, and
keeps it for as long as they stay the same.

    python scripts/environment.py [--wheel] DIRECTORY SET...

A SET is a file of requirements/ without its suffix; "test" means the one for this
Python. --wheel builds the package and installs what was built, so that what is run is
what people will install.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The oldest Python that a Django release is tested on; a newer one takes the last.
TESTED = {(3, 11): "test-django52", (3, 12): "test-django60", (3, 13): "test-django61"}


def lock_file(name: str) -> Path:
    if name == "test":
        name = TESTED[max(v for v in TESTED if v <= sys.version_info[:2])]
    return ROOT / "requirements" / f"{name}.txt"


def digest(files: Iterable[Path]) -> str:
    result = hashlib.sha256()
    for file in files:
        result.update(f"{file.relative_to(ROOT)}\0".encode())
        result.update(file.read_bytes())
    return result.hexdigest()


def sources() -> list[Path]:
    """Return what the wheel is made of."""
    package = (ROOT / "src").rglob("*")
    return [
        *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")),
        *sorted(f for f in package if f.is_file() and f.suffix != ".pyc"),
    ]


def pip(directory: Path, *arguments: str | Path) -> None:
    command = [directory / "bin" / "python", "-m", "pip", "--quiet", *arguments]
    subprocess.run(command, check=True, cwd=ROOT)


def install_requirements(directory: Path, sets: Iterable[str]) -> None:
    stamp = directory / "requirements.stamp"
    locks = [lock_file(name) for name in sets]
    wanted = f"{sys.version} {digest(locks)}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Setting up {directory.name}: {', '.join(lock.stem for lock in locks)}")
    venv.create(directory, clear=True, symlinks=True, with_pip=True)
    listed = [argument for lock in locks for argument in ("--requirement", lock)]
    pip(directory, "install", "--require-hashes", "--no-deps", *listed)
    stamp.write_text(wanted)


def install_wheel(directory: Path) -> None:
    stamp = directory / "wheel.stamp"
    wanted = digest(sources())
    if stamp.exists() and stamp.read_text() == wanted:
        return
    built = directory / "wheel"
    shutil.rmtree(built, ignore_errors=True)
    pip(directory, "wheel", "--no-deps", "--no-build-isolation", "-w", built, ".")
    pip(directory, "install", "--no-deps", "--force-reinstall", *built.glob("*.whl"))
    stamp.write_text(wanted)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheel", action="store_true")
    parser.add_argument("directory", type=Path)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    directory = options.directory.resolve()
    if sys.version_info < min(TESTED):
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")
    try:
        install_requirements(directory, options.sets)
        if options.wheel:
            install_wheel(directory)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up {directory.name} failed: {error}.\n"
            "It needs Python's venv module with pip (Debian: python3-venv) and a"
            " package index."
        )


if __name__ == "__main__":
    main()
