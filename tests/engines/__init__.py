"""
Define session engines of other packages' shapes, each in a module for SESSION_ENGINE.

The engines of ``KEYS`` make keys of their own. ``is_own_key()`` recognizes those keys.
"""

from __future__ import annotations

# The start and the length of the keys that each engine makes.
KEYS = {
    "prefixed": ("Site_1-", 40),
    "creating": ("crt", 39),
    "cached": ("Site_1-", 40),
    "long_keys": ("long.", 64),
    "keeping": ("kept:", 37),
}
# These engines make Django's keys.
OTHERS = ("renewing",)


def is_own_key(engine, key):
    """Return whether ``key`` has the form of the keys that the ``engine`` makes."""
    start, length = KEYS[engine]
    return key.startswith(start) and len(key) == length
