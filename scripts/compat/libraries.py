"""Read which libraries are tested, and which version of each the lock selects."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCK = ROOT / "requirements" / "compat.txt"

# What to install the package with, by the name of the mode. "plain" runs without it.
MODES: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "None": {"SESSION_LIMIT": None},
    "1": {"SESSION_LIMIT": 1},
    "deny": {"SESSION_LIMIT": 1, "SESSION_LIMIT_AT_LIMIT": "deny"},
}


class Difference(TypedDict):
    """Tests with another outcome. differences.toml describes the fields."""

    modes: list[str]
    tests: list[str]
    only: NotRequired[list[str]]
    shows: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library, and how its tests run. libraries.toml describes the fields."""

    name: str
    run: list[str]
    passes: int
    covers: str
    set: str
    quick: list[str] = field(default_factory=list)
    repository: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    directory: str = "."
    env: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    minutes: int = 10

    @property
    def distribution(self) -> str:
        """The name on PyPI. What follows a slash in ``name`` says how it is run."""
        return self.name.partition("/")[0]

    @property
    def locked(self) -> str:
        """The locked requirement, with its hashes."""
        wanted = rf"^{re.escape(self.distribution)}==\S+ .*\\\n(?: +--hash=\S+.*\n)+"
        found = re.search(wanted, LOCK.read_text(), re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.distribution} is not in {LOCK.name}.")
        return found[0]

    @property
    def version(self) -> str:
        return self.locked.partition(" ")[0].partition("==")[2]


def libraries() -> list[Library]:
    """Return the libraries in libraries.toml."""
    listed = tomllib.loads((HERE / "libraries.toml").read_text())
    for name, entry in listed.items():
        if "like" in entry:
            listed[name] = {**listed[entry.pop("like")], **entry}
    return [Library(name=name, **entry) for name, entry in listed.items()]


def differences() -> dict[str, list[Difference]]:
    """Return the explained differences of each library, by its name on PyPI."""
    listed: dict[str, list[Difference]] = tomllib.loads(
        (HERE / "differences.toml").read_text()
    )
    return listed
