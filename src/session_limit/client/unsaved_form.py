"""
Find the text that a person was submitting in a form when their session ended.

The page that explains the ending shows this text, so that the person can copy the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.forms.utils import pretty_name
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

# MAX_BODY is the number of bytes to read, and MAX_SHOWN of characters to show.
MAX_BODY = 1_000_000
MAX_SHOWN = 64 * 1024

# Names of fields that may hold a secret, which a page must not show. Short words match
# only as whole words: "pin" is a secret, and "opinion" is not.
_SECRET = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|cvc|cvv|iban"
    r"|(?<![a-z])"
    r"(pass|pwd|pin|otp|totp|mfa|code|card|cc|csc|ssn|key|cardnumber|securitycode)"
    r"(?![a-z])"
)
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Names of fields that no person fills in: buttons and methods, the page to go to next,
# and the counters of Django's formsets.
_NOT_WRITTEN = re.compile(
    r"_.*|next|.*-(TOTAL_FORMS|INITIAL_FORMS|MIN_NUM_FORMS|MAX_NUM_FORMS)", re.DOTALL
)


def of_post(request: HttpRequest) -> list[tuple[str, str]]:
    """
    Return the labels and texts of the form fields that a person filled in and posted.

    This function never raises. Return an empty list if the form was on another site.
    Such a site could otherwise put its own words onto a page of this site.
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
    # The decorator sensitive_post_parameters() sets this attribute.
    sensitive = getattr(request, "sensitive_post_parameters", ())
    if sensitive == "__ALL__":
        return []
    left, shown = MAX_SHOWN, []
    for name, text in posted:
        is_written = text.strip() and not _NOT_WRITTEN.fullmatch(name)
        size = len(name) + len(text)
        if is_written and size <= left and not _is_secret(name, sensitive):
            left -= size
            # pretty_name() returns Django's default label for a field of this name.
            shown.append((pretty_name(name), text))
    return shown


def _is_secret(name: str, sensitive: Sequence[str]) -> bool:
    words = _CAPITAL.sub("_", name).lower()
    return name in sensitive or _SECRET.search(words) is not None
