"""Views whose responses stream."""

import asyncio

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse

# What each feed has come to: appended when it was closed.
closed = []


async def endless(name):
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)
    finally:
        closed.append(name)


@login_required
async def feed(request):
    return StreamingHttpResponse(endless("feed"))


async def public_feed(request):
    """Reads no session."""
    return StreamingHttpResponse(endless("public"))


async def late_feed(request):
    """Reads the session when it streams already."""

    async def parts():
        yield b"hello\n"
        yield str(await request.auser()).encode()
        async for part in endless("late"):
            yield part

    return StreamingHttpResponse(parts())


@login_required
async def download(request):
    """Says how long it is, and does not come to its end."""
    return StreamingHttpResponse(
        endless("download"), headers={"Content-Length": "1000000"}
    )


@login_required
def long_page(request):
    """Is sent in parts, and does not stream."""
    return HttpResponse(b"x" * 300_000)
