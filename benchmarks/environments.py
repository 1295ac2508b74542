"""
An environment for each contender, from locked requirements: ``.venv-bench/<name>``.

    python -m benchmarks.environments [NAME...]
"""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from benchmarks import contenders
from benchmarks.contenders import Contender

# Not of one contender: what benchmarks/push runs in.
PUSH = "push"

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv-bench"
# In which ours is installed, as it is built.
WITH_WHEEL = {"session-limit", PUSH}


@cache
def _script() -> ModuleType:
    """Return ``scripts/environment.py``, which makes every environment here."""
    file = ROOT / "scripts" / "environment.py"
    spec = importlib.util.spec_from_file_location("environment", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lock_file(contender: Contender) -> Path:
    return ROOT / "benchmarks" / "requirements" / f"{contender.environment}.txt"


@cache
def _make(name: str) -> Path:
    directory = ENVIRONMENTS / name
    ENVIRONMENTS.mkdir(exist_ok=True)
    # Two that want it at once: the second waits, and finds it made.
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Named as a set of requirements/ is.
        _script().install_requirements(
            directory, [f"../benchmarks/requirements/{name}"]
        )
        if name in WITH_WHEEL:
            _script().install_wheel(directory)
    return directory / "bin" / "python"


def python(contender: Contender) -> Path:
    """
    Return the interpreter of the contender's environment, which is made where it is
    absent or out of date. Raises ``CalledProcessError`` for one that does not install.
    """
    return _make(contender.environment)


def main() -> None:
    for name in sys.argv[1:] or contenders.ALL:
        try:
            made = _make(name) if name == PUSH else python(contenders.get(name))
            print(f"{name}: {made.relative_to(ROOT)}")
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
