"""
What a person had written into a form that could not go through: shown on the page that
says why, so that it is not lost with the session.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.forms.utils import pretty_name
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

# What is read, and what is shown, at most. More than people write into a form.
MAX_BODY = 1_000_000
MAX_KEPT = 64 * 1024

# Fields that may hold a secret, which is not to stand on a page. Short words by
# themselves alone: "pin" is one, and "opinion" is what somebody has written.
_SECRET = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|cvc|cvv|iban"
    r"|(?<![a-z])"
    r"(pass|pwd|pin|otp|totp|mfa|code|card|cc|csc|ssn|key|cardnumber|securitycode)"
    r"(?![a-z])"
)
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# What no person has written: buttons and methods, where to go next, and what Django's
# formsets count.
_NOT_WRITTEN = re.compile(
    r"_.*|next|.*-(TOTAL_FORMS|INITIAL_FORMS|MIN_NUM_FORMS|MAX_NUM_FORMS)", re.DOTALL
)


def of_post(request: HttpRequest) -> list[tuple[str, str]]:
    """
    Return labels and texts of what was posted with ``request``, if it came from a page
    of this site: another's is not to put its words onto a page of ours. Never fails,
    whatever was posted.
    """
    if request.method != "POST" or not _is_from_this_site(request):
        return []
    try:
        if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= MAX_BODY:
            return []
        fields = posted_data.form(request).lists()
        posted = [(name, text) for name, texts in fields for text in texts]
    except Exception:  # noqa: BLE001 a body may be malformed, too large, cut off or read
        return []
    return _shown(request, posted)


def _is_from_this_site(request: HttpRequest) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return links.calling_page(request) is not None


def _shown(
    request: HttpRequest, posted: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    # What the decorator sensitive_post_parameters() has left on the request.
    sensitive = getattr(request, "sensitive_post_parameters", ())
    if sensitive == "__ALL__":
        return []
    left, shown = MAX_KEPT, []
    for name, text in posted:
        is_written = text.strip() and not _NOT_WRITTEN.fullmatch(name)
        size = len(name) + len(text)
        if is_written and size <= left and not _is_secret(name, sensitive):
            left -= size
            # What Django labels a field of this name, unless told otherwise.
            shown.append((pretty_name(name), text))
    return shown


def _is_secret(name: str, sensitive: Sequence[str]) -> bool:
    words = _CAPITAL.sub("_", name).lower()
    return name in sensitive or _SECRET.search(words) is not None
