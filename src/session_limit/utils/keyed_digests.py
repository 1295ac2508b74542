"""Compute digests with ``SECRET_KEY``, and recognise those made with former keys."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import salted_hmac


def keyed_digests(salt: str, value: str) -> list[str]:
    """
    Return the hexadecimal HMAC-SHA-256 digests of ``value`` under ``SECRET_KEY`` and
    under each of ``SECRET_KEY_FALLBACKS``, in this order.

    Store or show only the first digest. Compare against all of them, so that a digest
    stored before ``SECRET_KEY`` changed is still recognised.
    """
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [
        salted_hmac(salt, value, key, algorithm="sha256").hexdigest() for key in keys
    ]
