"""Simulate people who sign in and out, play content and keep pages open."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

from tests.history.browser import Answer, ask
from tests.history.connections import Held
from tests.history.history import INFO, OK, Operation, Recorder
from tests.history.observer import hexed

# Seconds between two actions of a client, of a busy account and of a calm one.
THINKS, THINKS_LONG = (0.05, 0.5), (0.5, 2.0)
# Seconds after which an open player renews its play.
RENEWS = 8.0
PLAYS = "/account/sessions/plays/"

# How often a client does each thing, relative to the others in the table.
SIGNED_OUT = {"sign_in": 6, "replay": 2, "rest": 2}
SIGNED_IN = {
    "who": 20,
    "replay": 8,
    "open": 12,
    "leave": 1,
    "start_play": 6,
    "stop_play": 1,
    "abandon_play": 1,
    "sign_in": 1,
    "sign_out": 2,
    "change_password": 1,
    "use_two_tabs": 2,
}
# A client that watches films to the end. Half of those that stop do not say so.
CALM = {
    "who": 80,
    "replay": 20,
    "open": 30,
    "start_play": 3,
    "stop_play": 1,
    "abandon_play": 1,
    "sign_in": 1,
    "sign_out": 1,
}
# The probability that an administrator acts on a calm account.
DISTURBED = 0.05


@dataclass(eq=False, slots=True)
class World:
    """The state that all clients share."""

    addresses: list[tuple[str, int]]
    # Accounts that are in use all the time, and those that are left alone for minutes.
    busy: list[str]
    calm: list[str]
    recorder: Recorder
    random: random.Random
    # Users, cookies and sessions of browsers that have given them up, for replays.
    retired: deque[tuple[str, str, str]] = field(
        default_factory=lambda: deque(maxlen=200)
    )

    async def operate(
        self,
        kind: str,
        path: str,
        user: str,
        *,
        cookie: str = "",
        presented: str = "",
        form: dict[str, str] | None = None,
        play: str = "",
        limit: int | None = None,
    ) -> Answer:
        """
        Send a request to a random server, and record its outcome.

        ``kind`` names the operation in the history. ``presented`` is the session that
        the cookie belongs to.
        """
        server = self.random.randrange(len(self.addresses))
        invoked = self.recorder.now()
        method = "GET" if form is None else "POST"
        # A request that is under way when the run ends may have taken effect.
        answer = Answer(INFO, why="the run ended")
        try:
            answer = await ask(
                self.addresses[server], method, path, cookie=cookie, form=form
            )
        finally:
            self.recorder.add(
                Operation(
                    kind=kind,
                    server=server,
                    user=user,
                    invoked=invoked,
                    completed=self.recorder.now(),
                    outcome=answer.outcome,
                    status=answer.status,
                    presented=presented,
                    session=hexed(answer.data.get("session")),
                    play=play or hexed(answer.data.get("play")),
                    ended=tuple(map(hexed, answer.data.get("ended", ()))),
                    limit=limit,
                    why=answer.why,
                )
            )
        return answer

    async def sign_in_at_once(self, count: int) -> None:
        """Sign in one user from ``count`` new browsers at the same moment."""
        user = self.random.choice(self.busy)

        async def sign_in() -> None:
            answer = await self.operate(
                "sign_in", "/sign-in/", user, form={"user": user}
            )
            if answer.outcome == OK and answer.cookie:
                session = hexed(answer.data["session"])
                self.retired.append((user, answer.cookie, session))

        await asyncio.gather(*(sign_in() for _ in range(count)))

    async def administrate(self) -> None:
        """Change limits and revoke sessions from time to time, until cancelled."""
        while True:
            await asyncio.sleep(self.random.uniform(0.3, 1.5))
            is_calm = self.random.random() < DISTURBED
            user = self.random.choice(self.calm if is_calm else self.busy)
            kind = self.random.choice(("burst", "limit", "revoke", "revoke_all"))
            if kind == "burst":
                await self.sign_in_at_once(4)
            elif kind == "limit":
                limit = self.random.choice((None, 1, 1, 2, 3))
                form = {"user": user, "limit": "" if limit is None else str(limit)}
                await self.operate("limit", "/limit/", user, form=form, limit=limit)
            elif kind == "revoke_all":
                await self.operate("revoke", "/revoke/", user, form={"user": user})
            elif self.retired:
                user, _, session = self.random.choice(self.retired)
                form = {"user": user, "session": session}
                await self.operate(
                    "revoke", "/revoke/", user, form=form, presented=session
                )


class Client:
    """A person with one browser, and the connections that its pages hold."""

    def __init__(self, world: World, user: str) -> None:
        self.world = world
        self.user = user
        is_calm = user in world.calm
        self._does = CALM if is_calm else SIGNED_IN
        self._thinks = THINKS_LONG if is_calm else THINKS
        self.cookie = self.session = self.play = ""
        self._renew_at = 0.0
        self._held: dict[asyncio.Task[None], Held] = {}

    async def live(self) -> None:
        """Do one thing after another, until cancelled."""
        while True:
            await asyncio.sleep(self.world.random.uniform(*self._thinks))
            if self.play and self.world.recorder.now() >= self._renew_at:
                await self._renew()
                continue
            weights = self._does if self.session else SIGNED_OUT
            [name] = self.world.random.choices([*weights], [*weights.values()])
            await getattr(self, f"_{name}")()

    def stop(self, how: str) -> list[asyncio.Task[None]]:
        """
        Close the open connections, and return their tasks.

        ``how`` is recorded as the way in which they ended.
        """
        for task, held in self._held.items():
            held.how = how
            task.cancel()
        return [*self._held]

    async def _do(self, kind: str, path: str, form=None, play="") -> Answer:
        """Send a request with this browser's cookie, and keep a cookie that it gets."""
        presented = self.session
        answer = await self.world.operate(
            kind,
            path,
            self.user,
            cookie=self.cookie,
            presented=presented,
            form=form,
            play=play,
        )
        if answer.status == 401:
            if self.session == presented:
                self._retire()
        elif answer.cookie and answer.outcome == OK:
            if self.session == presented:
                self.cookie = answer.cookie
            else:
                # Another tab has signed out meanwhile, so the browser has no session.
                session = hexed(answer.data.get("session"))
                self.world.retired.append((self.user, answer.cookie, session))
        return answer

    def _retire(self) -> None:
        """Give up the cookie, and keep it in ``World.retired`` for replays."""
        if self.cookie and self.session:
            self.world.retired.append((self.user, self.cookie, self.session))
        self.cookie = self.session = self.play = ""

    async def _rest(self) -> None:
        await asyncio.sleep(0.5)

    async def _sign_in(self) -> None:
        before = self.user, self.cookie, self.session
        answer = await self._do("sign_in", "/sign-in/", {"user": self.user})
        if answer.outcome == OK and answer.cookie == self.cookie:
            if all(before) and self.cookie != before[1]:
                self.world.retired.append(before)
            self.session = hexed(answer.data["session"])

    async def _sign_out(self) -> None:
        await self._do("sign_out", "/sign-out/", {})
        self._retire()

    async def _change_password(self) -> None:
        before = self.user, self.cookie, self.session
        answer = await self._do("password", "/password/", {})
        if answer.outcome == OK:
            self.world.retired.append(before)

    async def _use_two_tabs(self) -> None:
        """Do two things at the same moment that rotate or end the same session."""
        things = [self._change_password, self._sign_out, self._sign_in, self._who]
        first, second = self.world.random.sample(things, 2)
        await asyncio.gather(first(), second())

    async def _who(self) -> None:
        await self._do("who", "/who/")

    async def _replay(self) -> None:
        """Use a cookie that was given up, as a thief who has copied it does."""
        if self.world.retired:
            user, cookie, session = self.world.random.choice(self.world.retired)
            await self.world.operate(
                "replay", "/who/", user, cookie=cookie, presented=session
            )

    async def _start_play(self) -> None:
        if not self.play:
            answer = await self._do("start_play", PLAYS, {"what": "a film"})
            self._playing(answer)

    async def _renew(self) -> None:
        answer = await self._do(
            "renew", f"{PLAYS}{self._play_id()}/renew/", {}, self.play
        )
        self._playing(answer)

    async def _stop_play(self) -> None:
        if self.play:
            play, self.play = self._play_id(), ""
            await self._do("stop_play", f"{PLAYS}{play}/stop/", {}, hexed(play))

    async def _abandon_play(self) -> None:
        self.play = ""

    def _play_id(self) -> str:
        parts = (0, 8), (8, 12), (12, 16), (16, 20), (20, 32)
        return "-".join(self.play[start:end] for start, end in parts)

    def _playing(self, answer: Answer) -> None:
        """Plan the next renewal, or forget a play that does not count."""
        if answer.outcome == OK:
            self.play = hexed(answer.data["play"])
            self._renew_at = self.world.recorder.now() + RENEWS
        elif answer.outcome == INFO:
            self._renew_at = self.world.recorder.now() + 1
        else:
            self.play = ""

    async def _open(self) -> None:
        """Open a page that holds a connection, unless one of the same kind is open."""
        open_ = {held.kind for held in self._held.values()}
        kind = self.world.random.choice(("socket", "stream", "events"))
        if kind in open_:
            return
        server = self.world.random.randrange(len(self.world.addresses))
        held = Held(
            kind=kind,
            server=server,
            address=self.world.addresses[server],
            user=self.user,
            session=self.session,
            cookie=self.cookie,
            recorder=self.world.recorder,
        )
        task = asyncio.ensure_future(held.hold())
        self._held[task] = held
        task.add_done_callback(lambda task: self._held.pop(task, None))

    async def _leave(self) -> None:
        self.stop("left")
