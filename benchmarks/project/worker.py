"""
One contender's process: it does what it is asked on standard input, a JSON object per
line, and answers in the same way. ``benchmarks.workers`` asks.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from benchmarks.project.client import CLIENTS, Answer
from benchmarks.project.counting import counted
from benchmarks.project.profiled import profiled

WARM_UP = 20


class Worker:
    """Each public method is a command."""

    def __init__(self) -> None:
        self._client = CLIENTS[settings.SERVER]()
        # The cookie of the browser that gets the pages.
        self._cookie: str | None = None

    def migrate(self) -> None:
        call_command("migrate", verbosity=0)

    def create_users(self, count: int) -> list[int]:
        """Nobody can sign in to them by a password."""
        model = get_user_model()
        last = model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        ids = list(range(last + 1, last + 1 + count))
        model.objects.bulk_create(
            model(username=f"person-{id}", password="!") for id in ids
        )
        # In the order in which they were given out, whatever the database.
        names = [f"person-{id}" for id in ids]
        users = model.objects.filter(username__in=names).order_by("pk")
        return list(users.values_list("pk", flat=True))

    def become(self, id: int) -> None:
        """Sign the browser in, and let every page be as it always is from then on."""
        self._cookie = self._signed_in(id).cookie
        for page in ("member", "visitor", "public"):
            for _ in range(WARM_UP):
                self._get(page)

    def count(self, page: str) -> dict[str, int]:
        with counted() as counts:
            self._get(page)
        return counts

    def run(self, page: str, requests: int) -> dict[str, float]:
        """Get a page so many times; return the seconds of one."""
        path, cookie = self._address(page)
        gc.collect()
        # Others ran meanwhile, and had the processor's caches.
        self._client.repeat(path, cookie, WARM_UP // 5)
        cpu, wall = time.process_time(), time.perf_counter()
        self._client.repeat(path, cookie, requests)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"cpu": cpu / requests, "wall": wall / requests}

    def profile(self, page: str, requests: int, top: int) -> list[dict[str, Any]]:
        path, cookie = self._address(page)
        with profiled(requests, top) as rows:
            self._client.repeat(path, cookie, requests)
        return rows

    def profile_sign_in(self, ids: list[int], top: int) -> list[dict[str, Any]]:
        with profiled(len(ids), top) as rows:
            for id in ids:
                self._signed_in(id)
        return rows

    def count_sign_in(self, id: int, *, then_a_page: bool) -> dict[str, int]:
        with counted() as counts:
            self._signed_in_and(id, then_a_page=then_a_page)
        return counts

    def sign_in(
        self, ids: list[int], *, then_a_page: bool = False
    ) -> list[dict[str, float]]:
        """
        Sign in to each account from a browser without a cookie; return the seconds
        that each took.
        """
        taken = []
        gc.collect()
        for id in ids:
            cpu, wall = time.process_time(), time.perf_counter()
            self._signed_in_and(id, then_a_page=then_a_page)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            taken.append({"cpu": cpu, "wall": wall})
        return taken

    def _signed_in_and(self, id: int, *, then_a_page: bool) -> None:
        answer = self._signed_in(id)
        if then_a_page:
            self._client.request("GET", self._address("member")[0], answer.cookie)

    def contend(self, ids: list[int]) -> int:
        """
        Sign in to accounts that others sign in to at the same time; return how many
        sign-ins were displaced before they were answered, which is then a 401.
        """
        answers = [self._client.request("POST", f"/sign-in/{id}/") for id in ids]
        statuses = [answer.status for answer in answers]
        if set(statuses) - {200, 401}:
            raise RuntimeError(f"Nobody was signed in: {statuses}")
        return statuses.count(401)

    def _signed_in(self, id: int) -> Answer:
        answer = self._client.request("POST", f"/sign-in/{id}/")
        if answer.status != 200 or answer.cookie is None:
            raise RuntimeError(f"Nobody was signed in: {answer}")
        return answer

    def _address(self, page: str) -> tuple[str, str | None]:
        """Return where a page is, and the cookie with which it is got."""
        views = "sync" if settings.SERVER == "wsgi" else "async"
        return f"/{views}/{page}/", self._cookie if page != "visitor" else None

    def _get(self, page: str) -> None:
        answer = self._client.request("GET", *self._address(page))
        expected = {"visitor": "False", "public": "public"}
        is_expected = answer.body == expected.get(page, answer.body)
        if answer.status != 200 or not is_expected:
            raise RuntimeError(f"{page}: {answer}")


def main() -> None:
    # What is printed meanwhile must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    django.setup()
    worker = Worker()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"answer": getattr(worker, command["do"])(**command["with"])}
        except Exception as error:
            answer = {"error": repr(error), "traceback": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
