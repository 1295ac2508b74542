"""The example site with hashed static files alone, and with scripts by nonce alone."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.urls import path
from django.utils.decorators import async_only_middleware
from django.views.static import serve

from example.csp import POLICY
from example.urls import urlpatterns as example

urlpatterns = [
    path("static/<path:path>", serve, {"document_root": settings.STATIC_ROOT}),
    *example,
]


@async_only_middleware
def nonces(get_response):
    async def handle(request):
        request.csp_nonce = secrets.token_urlsafe(16)
        response = await get_response(request)
        response.headers["Content-Security-Policy"] = POLICY.replace(
            "script-src 'self'",
            f"script-src 'nonce-{request.csp_nonce}'; worker-src 'self'",
        )
        return response

    return handle
