"""Views that send streaming responses, and one that sends a long page."""

import asyncio

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse

# The names of the feeds that have been closed.
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
    """Stream without reading the session."""
    return StreamingHttpResponse(endless("public"))


async def late_feed(request):
    """Read the session after the response has begun to stream."""

    async def parts():
        yield b"hello\n"
        yield str(await request.auser()).encode()
        async for part in endless("late"):
            yield part

    return StreamingHttpResponse(parts())


@login_required
async def download(request):
    """Announce a length, and never reach it."""
    return StreamingHttpResponse(
        endless("download"), headers={"Content-Length": "1000000"}
    )


@login_required
def long_page(request):
    """Return a page that the handler sends in parts although it does not stream."""
    return HttpResponse(b"x" * 300_000)
