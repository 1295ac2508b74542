"""Decide what a person can do next, for pages, messages, emails and JSON."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from session_limit.conf import conf
from session_limit.pages import links


class Step(enum.StrEnum):
    """A kind of step that a person can take next. JSON responses use these values."""

    USE_HERE = "use_here"
    SIGN_IN = "sign_in"
    WATCH_HERE = "watch_here"
    SEE_DEVICES = "see_devices"
    SECURE_ACCOUNT = "secure_account"
    SUPPORT = "support"


# In the order in which pages show the steps: the most important one comes first.
LABELS = {
    Step.USE_HERE: gettext_lazy("Use here instead"),
    Step.SIGN_IN: gettext_lazy("Sign in"),
    Step.WATCH_HERE: gettext_lazy("Watch here"),
    Step.SEE_DEVICES: gettext_lazy("See devices"),
    Step.SECURE_ACCOUNT: gettext_lazy("Not you? Secure your account"),
    Step.SUPPORT: gettext_lazy("Contact support"),
}

_FORM = frozenset({Step.USE_HERE, Step.SIGN_IN})


@dataclass(frozen=True, slots=True)
class NextStep:
    """
    A step that a person can take next, with the label to show.

    The page posts the fields of ``form`` to ``url``, or links to ``url`` if ``form`` is
    ``None``. ``WATCH_HERE`` has no URL, because the page's player performs this step.
    """

    kind: Step
    label: str
    url: str | None
    form: Mapping[str, str] | None = None


def next_steps(
    kinds: frozenset[Step],
    sign_in_url: str | None = None,
    form: Mapping[str, str] | None = None,
) -> list[NextStep]:
    """
    Return the available next steps of the given ``kinds``, most important first.

    ``USE_HERE`` and ``SIGN_IN`` link to ``sign_in_url``, or post ``form`` to that URL.
    A step without a URL is left out, except for ``WATCH_HERE``. For example,
    ``SUPPORT`` needs the setting ``SESSION_LIMIT_SUPPORT_URL``. If ``form`` is given or
    no step has a URL, ``SIGN_IN`` is added unless ``kinds`` contains ``USE_HERE``.
    """
    urls = {
        Step.USE_HERE: sign_in_url,
        Step.SIGN_IN: sign_in_url,
        Step.WATCH_HERE: None,
        Step.SEE_DEVICES: links.url_of(links.LIST_VIEW),
        Step.SECURE_ACCOUNT: conf.secure_account_url,
        Step.SUPPORT: conf.support_url,
    }
    has_address = any(urls[kind] for kind in kinds)
    if (form is not None or not has_address) and Step.USE_HERE not in kinds:
        kinds |= {Step.SIGN_IN}
    return [
        NextStep(kind, str(label), urls[kind], form if kind in _FORM else None)
        for kind, label in LABELS.items()
        if kind in kinds and (urls[kind] or kind is Step.WATCH_HERE)
    ]
