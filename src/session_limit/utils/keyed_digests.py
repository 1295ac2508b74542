"""Compute keyed digests that are still recognised after ``SECRET_KEY`` changes."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import salted_hmac


def keyed_digests(salt: str, value: str) -> list[str]:
    """
    Return the digests of ``value`` with the current and the former secret keys.

    The digests are hexadecimal HMAC-SHA-256 digests. The first uses ``SECRET_KEY``, and
    the others use ``SECRET_KEY_FALLBACKS``. Store or show only the first digest, and
    compare a stored digest with all of them.
    """
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [
        salted_hmac(salt, value, key, algorithm="sha256").hexdigest() for key in keys
    ]
