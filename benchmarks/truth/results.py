"""
What is counted, and how it is kept: ``truth.json`` has a list for each experiment, a
row for each combination that was measured. What is measured again replaces its row.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks import results

NAME = "truth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Of whom, on what, and when."""

    contender: str
    engine: str
    database: str
    date: str = ""
    commit: str = ""
    seconds: float = 0
    # Trials or rounds in which anything was wrong.
    violated: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """What is replaced when it is measured again."""
        return (self.contender, self.engine, self.database)

    @property
    def is_bad(self) -> bool:
        """Whether it shows anything that must not be."""
        return self.violated > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Answers that nobody should get."""

    # 5xx, but for a 503 with Retry-After, and those.
    server_errors: int = 0
    retryable: int = 0
    # 400: what Django makes of a session that was deleted under a request.
    bad_requests: int = 0
    unanswered: int = 0

    def __add__(self, other: Errors) -> Errors:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Errors(**dict(zip(self.names(), map(sum, pairs), strict=True)))

    @classmethod
    def names(cls) -> list[str]:
        return [each.name for each in dataclasses.fields(cls)]

    @property
    def count(self) -> int:
        """Without those that a client is asked to repeat."""
        return self.server_errors + self.bad_requests + self.unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderLoad(Row):
    """Trials of ``under_load``, by what was found: ``judge`` defines it."""

    circumstances: str
    trials: int
    # Trials in which the loser was authenticated after it had lost; and of those, in
    # which it was after the winner had opened a page, too.
    came_back: int
    came_back_later: int
    # Trials in which the winner was signed out; of those, with nobody signed in.
    winner_ended: int
    both_dead: int
    # Trials in which the winner was not signed in, being answered an error.
    not_signed_in: int
    # No violation: the winner's password was changed while it signed in.
    outdated: int
    errors: Errors
    requests: int
    sign_ins: int
    # The loser's authenticated requests that the winner's sign-ins met.
    under_way: int

    @property
    def key(self) -> tuple[str, ...]:
        return (*super(UnderLoad, self).key, self.circumstances)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce(Row):
    """Rounds of ``at_once``: in how many of them so many sessions were left."""

    view: str
    at_once: int
    rounds: int
    sign_ins: int
    # By how many cookies were let in when first tried, and when tried again after.
    let_in: dict[str, int]
    stayed: dict[str, int]
    errors: Errors

    @property
    def key(self) -> tuple[str, ...]:
        return (*super(AtOnce, self).key, self.view, str(self.at_once))


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight(Row):
    """Rounds of ``in_flight``: what became of the loser and of the winner."""

    view: str
    # "password": the loser's request changes it; "key": its session gets a new key.
    change: str
    rounds: int
    came_back: int
    # For "password", Django's own rule: the winner gave the one from before.
    winner_ended: int
    errors: Errors

    @property
    def key(self) -> tuple[str, ...]:
        return (*super(InFlight, self).key, self.view, self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Row):
    """One that does not install, or does not run."""

    error: str

    @property
    def is_bad(self) -> bool:
        return True


KINDS: dict[str, type[Row]] = {
    "under_load": UnderLoad,
    "at_once": AtOnce,
    "in_flight": InFlight,
    "failed": Failed,
}


@dataclass(slots=True)
class Truth:
    """All that is known. ``machine`` is that of the last run."""

    machine: dict[str, Any] = field(default_factory=dict)
    under_load: list[UnderLoad] = field(default_factory=list)
    at_once: list[AtOnce] = field(default_factory=list)
    in_flight: list[InFlight] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @classmethod
    def load(cls, directory: Path = results.PUBLISHED) -> Self:
        """Return what was measured so far."""
        stored = results.load(NAME, directory) or {}
        lists = {
            name: [_row(kind, values) for values in stored.get(name, [])]
            for name, kind in KINDS.items()
        }
        return cls(machine=stored.get("machine", {}), **lists)

    def put(self, row: Row) -> None:
        """Keep ``row`` in the place of what was measured of the same before."""
        [name] = [name for name, kind in KINDS.items() if type(row) is kind]
        rows: list[Row] = getattr(self, name)
        kept = [each for each in rows if each.key != row.key]
        setattr(self, name, sorted([*kept, row], key=lambda each: each.key))
        if not isinstance(row, Failed):
            self.failed = [each for each in self.failed if each.key != row.key[:3]]

    def save(self, directory: Path = results.PUBLISHED) -> None:
        results.save(NAME, dataclasses.asdict(self), directory)


def _row(kind: type[Row], values: dict[str, Any]) -> Row:
    if "errors" in values:
        values = {**values, "errors": Errors(**values["errors"])}
    return kind(**values)
