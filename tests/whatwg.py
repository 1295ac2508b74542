"""Which host a browser goes to, by the URL standard."""

from __future__ import annotations

import re

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
SPECIAL = {"http", "https", "ws", "wss", "ftp"}
ELSEWHERE = "elsewhere"
C0_CONTROL_OR_SPACE = "".join(map(chr, range(0x21)))


def host_of(url: str, base: str = "http://testserver/account/") -> str:
    """
    Return the host and port to which a browser on the page ``base`` would follow
    ``url``.

    Follows the state machine of https://url.spec.whatwg.org/#url-parsing rather than
    any parser of Python's. Returns ``ELSEWHERE`` for a scheme that opens no page of a
    host.
    """
    base_scheme, _, rest = base.partition("://")
    base_host = rest.partition("/")[0]
    url = url.strip(C0_CONTROL_OR_SPACE)
    url = url.replace("\t", "").replace("\n", "").replace("\r", "")
    has_scheme = SCHEME.match(url)
    if has_scheme:
        scheme, url = has_scheme[1].lower(), url[has_scheme.end() :]
        if scheme not in SPECIAL:
            return ELSEWHERE
        if scheme == base_scheme and not url.startswith("//"):
            # "special relative or authority state": as without a scheme.
            return base_host if not _is_authority(url) else _authority(url)
        return _authority(url)
    return _authority(url) if _is_authority(url) else base_host


def _is_authority(url: str) -> bool:
    # "relative slash state": a backslash counts as a slash in a special scheme.
    return len(url) > 1 and url[0] in "/\\" and url[1] in "/\\"


def _authority(url: str) -> str:
    # "special authority ignore slashes state", and the end of "authority state".
    return re.split(r"[/\\?#]", url.lstrip("/\\"))[0].rpartition("@")[2].lower()
