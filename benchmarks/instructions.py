"""
Count the processor's instructions of a page, under Valgrind's Callgrind.

A public page takes a tenth of a millisecond, and one percent of that is less than the
noise of any clock. The number of instructions is the same in every run, on a busy
machine too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

from benchmarks import cost, environments
from benchmarks.contenders import OURS, Contender
from benchmarks.cost import EVERYBODY, PAGES, US
from benchmarks.figures import measured, table, verdict
from benchmarks.servers import WorkerError, database, variables, worker

PAGE = cost.PAGE
BLOCKS = ("instructions",)
TOOLS = ("valgrind", "callgrind_control")
MISSING = (
    "Not measured: this needs Valgrind (on Debian, the package valgrind), which counts"
    " the instructions."
)
ENGINE = "db"
TIMES = 40
# The target for a public page: the ratio of its instructions to plain Django's.
PUBLIC = 1.01

COLUMNS = ["", *PAGES, "member, thousands", "public, thousands"]


def callgrind(directory: str) -> tuple[str, ...]:
    """
    Return the command that runs a process under Callgrind, with reports in a directory.

    The process counts nothing, and runs faster, until ``callgrind_control`` asks it to.
    """
    return (
        *("valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no"),
        *("--dump-before=getsid", f"--callgrind-out-file={directory}/report"),
    )


def total(directory: str) -> int:
    """Return the number of instructions in the latest report."""
    reports = Path(directory).glob("report.*")
    latest = max(reports, key=lambda each: int(each.suffix.removeprefix(".")))
    [found] = re.findall(r"^totals: (\d+)$", latest.read_text(), re.MULTILINE)
    return int(found)


def instructions(contender: Contender, server: str) -> dict[str, float]:
    """Return the number of instructions of a request for each page."""
    found = {}
    with ExitStack() as stack:
        on = stack.enter_context(database(owner=f"{contender.name}_{server}"))
        given = variables(contender, on, engine=ENGINE, server=server)
        interpreter = environments.python(contender.environment)
        with worker(given, interpreter) as made:
            made.call("people.migrate")
            [username] = made.call("people.create_users", count=1)
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        made = stack.enter_context(worker(given, interpreter, callgrind(directory)))
        cookie = made.call("browsing.prepare", username=username)
        control = ["callgrind_control", "--instr=on", f"{made.process.pid}"]
        subprocess.run(control, check=True, capture_output=True)
        for page in PAGES:
            sent = cookie if page != "visitor" else None
            made.call("browsing.mark", page=page, cookie=sent, times=TIMES)
            found[page] = total(directory) / TIMES
    return found


def attempt(contender: Contender, server: str) -> dict[str, float] | str:
    """Return the instructions of each page, or why the contender does not run."""
    try:
        return instructions(contender, server)
    except (OSError, WorkerError, subprocess.CalledProcessError) as error:
        return f"`{error}`"


def section(
    server: str, contenders: tuple[Contender, ...]
) -> tuple[list[str], list[str]]:
    """Return the text about one server, and a sentence for each missed target."""
    compared = [each for each in contenders if ENGINE in each.engines]
    # Processes that run at the same time do not change each other's numbers.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(attempt, compared, repeat(server)))
    plain, rows, misses = found[0], [], []
    assert isinstance(plain, dict), plain
    for contender, each in zip(compared, found, strict=True):
        if isinstance(each, str):
            rows.append([contender.name, each, *[""] * 4])
            continue
        ratios = {page: each[page] / plain[page] for page in PAGES}
        cells = [f"{ratios[page]:.3f}" for page in PAGES]
        thousands = [f"{each[page] / 1000:,.0f}" for page in ("member", "public")]
        rows.append([contender.name, *cells, *thousands])
        if contender is OURS and ratios["public"] > PUBLIC:
            misses.append(
                f"public page, {server.upper()}: {ratios['public']:.3f} of {PUBLIC}"
                " × plain's instructions"
            )
    print(f"Counted the instructions under {server.upper()}.", flush=True)
    return [f"### {server.upper()}", table(COLUMNS, rows)], misses


def measure(*, full: bool) -> Iterator[str]:
    """Yield the tables for the documentation."""
    if not all(map(shutil.which, TOOLS)):
        yield MISSING
        return
    sentence = measured()
    wsgi, missed = section("wsgi", EVERYBODY if full else US)
    asgi, more = section("asgi", US)
    yield "\n\n".join([sentence, verdict(missed + more), *wsgi, *asgi])
