"""A project in which a test is the view."""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from tests.stories.urls import urlpatterns as stories

# The function that answers the next request, and what it has returned
view = None
returned = []


def _respond(result):
    returned.append(result)
    return result if isinstance(result, HttpResponseBase) else HttpResponse("Done.")


def run(request):
    return _respond(view(request))


async def arun(request):
    return _respond(await view(request))


urlpatterns = [*stories, path("run/", run), path("arun/", arun)]
