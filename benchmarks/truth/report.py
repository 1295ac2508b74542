"""The part of the documentation's page that is about truth."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import TypeVar

from benchmarks import contenders
from benchmarks.report.tables import measured_on, table
from benchmarks.results import PUBLISHED
from benchmarks.truth.engines import ENGINES
from benchmarks.truth.results import AtOnce, Errors, InFlight, Row, Truth, UnderLoad

INTRODUCTION = """\
One account, a limit of one, several server processes under WSGI and ASGI, sync and
async views. What is counted is defined in `benchmarks/truth/judge.py`. With `plain`,
which ends nothing, everything comes back: that shows that the harness sees it."""

UNDER_LOAD = """\
### Endings under load

A browser with four tabs reads, writes to its session, changes its password, rotates its
key, signs out and in, with every cookie that it ever had, while another signs in to the
account: by default, under `SESSION_SAVE_EVERY_REQUEST` and `ATOMIC_REQUESTS`, and with
`SECRET_KEY_FALLBACKS` in use. Counted are trials. *Came back*: a request that started
after the answer to the other's sign-in was authenticated; in brackets, after the other
had opened a page, too, since some end the loser only then. *Winner out*: whoever signed
in last was signed out; in brackets, with nobody left. That is not said of *outdated*:
the loser's last request, begun before it lost, changed the password that the winner was
just signing in with."""

AT_ONCE = """\
### Sign-ins at once

All connected first, then released together. *Let in*: how many of the cookies that were
handed out opened a page afterwards, one after another; *stayed*: how many of those
opened another. Fewest to most of the rounds; one is right."""

IN_FLIGHT = """\
### A change in flight

A request is held between reading who asks and giving its session a new key; another
browser signs in; the request is let go on. After a change of *password* the winner is
out by Django's own rule: it signed in with the old one. A new *key* must leave it
alone."""

Whom = tuple[str, str, str]
Each = TypeVar("Each", bound=Row)


def _order(row: Row) -> tuple[int, int, str]:
    """As the contenders and the engines are listed, this package first."""
    names = ["session-limit", *contenders.ALL]
    return names.index(row.contender), list(ENGINES).index(row.engine), row.database


def _grouped(rows: Iterable[Each]) -> Iterator[tuple[Whom, list[Each]]]:
    def whom(row: Row) -> Whom:
        return row.contender, f"`{row.engine}`", row.database

    for key, group in itertools.groupby(sorted(rows, key=_order), whom):
        yield key, list(group)


def _sum(rows: Sequence[Row], name: str) -> int:
    return sum(getattr(row, name) for row in rows)


def _errors(
    rows: Sequence[UnderLoad] | Sequence[AtOnce] | Sequence[InFlight],
) -> Errors:
    return reduce(add, (row.errors for row in rows), Errors())


def _said(errors: Errors) -> list[int]:
    return [errors.server_errors + errors.unanswered, errors.bad_requests]


def _and(count: int, of_those: int) -> str:
    return f"{count} ({of_those})" if count else "0"


def _under_load(rows: Sequence[UnderLoad]) -> str:
    columns = ["trials", "came back", "winner out", "5xx", "400", "outdated"]
    lines = [
        [
            *whom,
            _sum(group, "trials"),
            _and(_sum(group, "came_back"), _sum(group, "came_back_later")),
            _and(_sum(group, "winner_ended"), _sum(group, "both_dead")),
            *_said(_errors(group)),
            _sum(group, "outdated"),
        ]
        for whom, group in _grouped(rows)
    ]
    return table(["", "engine", "database", *columns], lines)


def _range(histograms: Iterable[dict[str, int]]) -> str:
    seen = [int(number) for histogram in histograms for number in histogram]
    if not seen:
        return ""
    least, most = min(seen), max(seen)
    return str(most) if least == most else f"{least}-{most}"


def _at_once(rows: Sequence[AtOnce]) -> str:
    numbers = sorted({row.at_once for row in rows})
    columns = [f"{what} of {n}" for n in numbers for what in ("let in", "stayed")]
    lines = []
    for whom, group in _grouped(rows):
        cells = [
            _range(getattr(row, name) for row in group if row.at_once == number)
            for number in numbers
            for name in ("let_in", "stayed")
        ]
        signed_in = _sum(group, "sign_ins")
        lines.append([*whom, signed_in, *cells, *_said(_errors(group))])
    return table(["", "engine", "database", "sign-ins", *columns, "5xx", "400"], lines)


def _in_flight(rows: Sequence[InFlight]) -> str:
    lines = []
    for whom, group in _grouped(rows):
        counts: Counter[tuple[str, str]] = Counter()
        for row in group:
            for name in ("rounds", "came_back", "winner_ended"):
                counts[row.change, name] += getattr(row, name)
        cells = [
            f"{counts[change, name]} of {counts[change, 'rounds']}"
            for change in ("password", "key")
            for name in ("came_back", "winner_ended")
        ]
        lines.append([*whom, *cells, *_said(_errors(group))])
    columns = [
        "password: loser back",
        "winner out",
        "key: loser back",
        "winner out",
        "5xx",
        "400",
    ]
    return table(["", "engine", "database", *columns], lines)


SECTIONS: list[tuple[str, str, Callable[..., str]]] = [
    ("under_load", UNDER_LOAD, _under_load),
    ("at_once", AT_ONCE, _at_once),
    ("in_flight", IN_FLIGHT, _in_flight),
]


def markdown(directory: Path = PUBLISHED) -> str:
    """Return what was measured last, or the empty string if nothing was."""
    truth = Truth.load(directory)
    if not truth.machine:
        return ""
    parts = [INTRODUCTION, f"The last run: {measured_on(truth.machine)}"]
    for name, text, write in SECTIONS:
        if rows := getattr(truth, name):
            parts += [text, _measured_at(rows), write(rows)]
    if truth.failed:
        lines = [
            [each.contender, f"`{each.engine}`", each.error] for each in truth.failed
        ]
        parts += ["### Those that did not run", table(["", "engine", "error"], lines)]
    return "\n\n".join(parts)


def _measured_at(rows: Iterable[Row]) -> str:
    """Pieces may have been measured at different commits: say which."""
    commits = sorted({(row.date[:10], row.commit) for row in rows})
    seconds = sum(row.seconds for row in rows)
    named = ", ".join(f"{commit} ({date})" for date, commit in commits)
    return f"At commit {named}; {seconds / 60:.0f} minutes in all."
