"""
Let a view wait between reading the user and acting.

A session that ends during this time is what the experiments are about.
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
    Yield the seconds to sleep, until the view may continue.

    The request's ``pause`` is in milliseconds. If it names a ``gate``, the view also
    waits until the test opens that.
    """
    yield float(request.POST.get("pause", 0)) / 1000
    if gate := request.POST.get("gate"):
        directory = Path(os.environ["FINALITY_DIRECTORY"])
        (directory / f"{gate}.held").touch()
        deadline = time.monotonic() + LONGEST
        while not (directory / f"{gate}.open").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{gate} was not opened.")
            yield STEP


def wait(request: HttpRequest) -> None:
    for seconds in _steps(request):
        time.sleep(seconds)


async def await_(request: HttpRequest) -> None:
    for seconds in _steps(request):
        await asyncio.sleep(seconds)
