"""
A view takes its time: between reading who asks and doing what was asked. Everything
that may go wrong with a session that ends meanwhile begins there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest

LONGEST = 20
STEP = 0.002


def _steps(request: HttpRequest) -> Iterator[float]:
    """
    Yield how long to sleep, until it is time to go on: after ``pause`` milliseconds
    and, where a ``gate`` is named, once the harness has opened that.
    """
    yield float(request.POST.get("pause", 0)) / 1000
    if gate := request.POST.get("gate"):
        directory = Path(os.environ["TRUTH_DIRECTORY"])
        (directory / f"{gate}.held").touch()
        deadline = time.monotonic() + LONGEST
        while not (directory / f"{gate}.open").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nobody opened {gate}.")
            yield STEP


def wait(request: HttpRequest) -> None:
    for seconds in _steps(request):
        time.sleep(seconds)


async def await_(request: HttpRequest) -> None:
    for seconds in _steps(request):
        await asyncio.sleep(seconds)
