"""What an ordinary request pays for passing through the guard, in microseconds."""

import asyncio
import os
import timeit

import django

from session_limit.asgi import SessionGuard

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"x"}
REQUEST = {"type": "http.request", "body": b"", "more_body": False}
COUNT, ROUNDS = 20_000, 7


async def application(scope, receive, send):
    await receive()
    await send(START)
    await send(BODY)


async def receive():
    return REQUEST


async def send(message):
    pass


def scope(*, cookie):
    headers = [(b"host", b"x"), (b"accept", b"*/*"), (b"user-agent", b"x")]
    headers += [(b"cookie", b"sessionid=" + b"k" * 32)] if cookie else []
    return {"type": "http", "method": "GET", "path": "/members/", "headers": headers}


async def time(app, asked):
    started = timeit.default_timer()
    for _ in range(COUNT):
        await app(asked, receive, send)
    return (timeit.default_timer() - started) / COUNT * 1e6


async def main():
    """Measure in turn, and take the best of each: what is left is what it costs."""
    guarded = SessionGuard(application)
    with_cookie, without = scope(cookie=True), scope(cookie=False)
    rounds = [
        (
            await time(application, with_cookie),
            await time(guarded, with_cookie),
            await time(guarded, without),
        )
        for _ in range(ROUNDS)
    ]
    bare, cookie, none = map(min, zip(*rounds, strict=True))
    print(cookie - bare, none - bare)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.push.project.settings"
    django.setup()
    asyncio.run(main())
