"""What an experiment counts, and how it reads in the documentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

WHOM = ("", "engine", "database")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Answers that no client should get."""

    # 5xx, except a 503 with Retry-After; and those, which ask the client to repeat.
    server_errors: int = 0
    retryable: int = 0
    # 400 is Django's answer if a session is deleted during a request.
    bad_requests: int = 0
    unanswered: int = 0

    def __add__(self, other: Errors) -> Errors:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        names = [each.name for each in dataclasses.fields(self)]
        return Errors(**dict(zip(names, map(sum, pairs), strict=True)))

    @property
    def count(self) -> int:
        """Return the number of errors, without those that ask the client to repeat."""
        return self.server_errors + self.bad_requests + self.unanswered

    @property
    def cells(self) -> list[int]:
        return [self.server_errors + self.unanswered, self.bad_requests]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was found for one contender on one engine and database."""

    # The block of the page that shows it, and its columns.
    block: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    contender: str
    engine: str
    database: str
    # The trials or rounds that violated a guarantee.
    violated: int = 0

    @property
    def is_bad(self) -> bool:
        return self.violated > 0

    @property
    def whom(self) -> list[str]:
        return [self.contender, f"`{self.engine}`", self.database]

    @staticmethod
    def cells(rows: Sequence[Row]) -> list[object]:
        """Return the cells that add up ``rows``."""
        raise NotImplementedError


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(getattr(row, name) for row in rows)


def _errors(rows: Sequence[UnderLoad | AtOnce | InFlight]) -> list[int]:
    return sum((row.errors for row in rows), start=Errors()).cells


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderLoad(Row):
    """Trials of ``under_load``, by the verdict; ``judge`` defines the terms."""

    block: ClassVar = "under-load"
    columns: ClassVar = ("trials", "came back", "winner out", "5xx", "400", "outdated")

    circumstances: str
    trials: int
    # Trials in which the loser was authenticated after it had lost; and the trials of
    # those in which that happened after the winner had opened a page.
    came_back: int
    came_back_later: int
    # Trials in which the winner was signed out; and of those, with nobody signed in.
    winner_ended: int
    both_ended: int
    # Trials in which the winner's sign-in was answered with an error.
    not_signed_in: int
    # The winner's password was changed during its sign-in, which is no violation.
    outdated: int
    errors: Errors
    # The loser's authenticated requests that overlapped the winner's sign-ins.
    under_way: int

    @staticmethod
    def cells(rows: Sequence[Row]) -> list[object]:
        came_back, later = _sum(rows, "came_back"), _sum(rows, "came_back_later")
        out, both = _sum(rows, "winner_ended"), _sum(rows, "both_ended")
        return [
            _sum(rows, "trials"),
            f"{came_back} ({later})" if came_back else "0",
            f"{out} ({both})" if out else "0",
            *_errors(rows),
            _sum(rows, "outdated"),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce(Row):
    """Rounds of ``at_once``, by the number of sessions that were left."""

    block: ClassVar = "at-once"
    columns: ClassVar = (
        "sign-ins",
        "let in of 8",
        "stayed of 8",
        "let in of 50",
        "stayed of 50",
        "5xx",
        "400",
    )

    at_once: int
    sign_ins: int
    # For each round: the cookies that opened a page, and those that opened a second.
    let_in: tuple[int, ...]
    stayed: tuple[int, ...]
    errors: Errors

    @staticmethod
    def cells(rows: Sequence[Row]) -> list[object]:
        def span(name: str, at_once: int) -> str:
            found = [getattr(row, name) for row in rows if row.at_once == at_once]
            seen = [number for numbers in found for number in numbers]
            if not seen:
                return ""
            least, most = min(seen), max(seen)
            return str(most) if least == most else f"{least}-{most}"

        spans = [span(name, n) for n in (8, 50) for name in ("let_in", "stayed")]
        return [_sum(rows, "sign_ins"), *spans, *_errors(rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight(Row):
    """Rounds of ``in_flight``, by what became of the loser and of the winner."""

    block: ClassVar = "in-flight"
    columns: ClassVar = (
        "password: loser back",
        "winner out",
        "key: loser back",
        "winner out",
        "5xx",
        "400",
    )

    # "password" if the loser's request changes it, "key" if it rotates the session key.
    change: str
    rounds: int
    came_back: int
    # For "password" that is Django's own rule: the winner signed in with the old one.
    winner_ended: int
    errors: Errors

    @staticmethod
    def cells(rows: Sequence[Row]) -> list[object]:
        found: list[object] = []
        for change in ("password", "key"):
            chosen = [row for row in rows if row.change == change]
            rounds = _sum(chosen, "rounds")
            names = ("came_back", "winner_ended")
            found += [f"{_sum(chosen, name)} of {rounds}" for name in names]
        return [*found, *_errors(rows)]


def merged(text: str, kind: type[Row], row: Sequence[object]) -> str:
    """
    Put a row into a table of the documentation, in place of the one with the same
    contender, engine and database, or at the end.
    """
    columns = [*WHOM, *kind.columns, "measured"]
    head = [_line(columns), _line(["---"] * len(columns))]
    lines = [each for each in text.strip().splitlines() if each.startswith("| ")][2:]
    new = _line(row)
    same = new.split(" | ")[:3]
    places = [n for n, each in enumerate(lines) if each.split(" | ")[:3] == same]
    for place in places:
        lines[place] = new
    return "\n".join([*head, *lines, *([] if places else [new])])


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
