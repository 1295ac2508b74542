"""Each reason has its own text, with what a person may do next."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from session_limit.models import AccountLimit, UserSession
from session_limit.pages import durations, endings, messages
from session_limit.pages.next_steps import Step
from tests.stories.people import make_user

Reason = UserSession.Reason
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.django_db

# No text blames or alarms a person, or says who displaced them or from where.
NEVER = re.compile(
    r"(?i)kick|violat|suspicious|someone|somebody|illegal|!|address|192\.0\.2"
)


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def ended(ada):
    def ended(reason, **fields):
        now = timezone.now()
        return UserSession.objects.create(
            user=ada,
            ended_at=now,
            ended_reason=reason,
            address="192.0.2.0",
            **{"expires_at": now, **fields},
        )

    return ended


def of(session):
    told = endings.ended_session(session)
    return told.heading, told.text, set(told.steps)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_heading_a_text_and_something_to_do(ended, reason):
    told = endings.ended_session(ended(reason))
    assert told.heading
    assert told.text.endswith(".")
    assert not NEVER.search(f"{told.heading} {told.text}")
    assert told.steps & {Step.USE_HERE, Step.SIGN_IN, Step.SUPPORT}
    assert told.reason == reason
    assert told.ended_at is not None


def test_only_a_displaced_session_can_be_taken_up_again(ended):
    can = [
        each
        for each in Reason
        if Step.USE_HERE in endings.ended_session(ended(each)).steps
    ]
    assert can == [Reason.DISPLACED]


def test_displaced(ended, ada):
    newer = UserSession.objects.create(
        user=ada, expires_at=timezone.now(), device_class="tablet", device="Safari"
    )
    told = endings.ended_session(ended(Reason.DISPLACED, ended_by_session=newer.pk))
    assert told.heading == "You're signed out here"
    assert told.text == (
        "Your account was signed in on a tablet. "
        "This account can be used on 1 device at a time."
    )
    assert told.steps == {Step.USE_HERE, Step.SECURE_ACCOUNT}
    assert told.device_class == "tablet"


@pytest.mark.parametrize("device_class", [None, "", "other", "a kind of yours"])
def test_displaced_by_what_has_no_name(ended, ada, settings, device_class):
    settings.SESSION_LIMIT = None
    by = None
    if device_class is not None:
        by = UserSession.objects.create(
            user=ada, expires_at=timezone.now(), device_class=device_class
        ).pk
    told = endings.ended_session(ended(Reason.DISPLACED, ended_by_session=by))
    assert told.text == "Your account was signed in on another device."


def test_revoked_by_its_owner(ended, ada):
    assert of(ended(Reason.REVOKED, ended_by=str(ada.pk))) == (
        "You're signed out here",
        "This device was signed out from your account's list of devices.",
        {Step.SIGN_IN, Step.SECURE_ACCOUNT},
    )


@pytest.mark.parametrize("by", ["", "another"])
def test_revoked_by_an_administrator(ended, by):
    assert of(ended(Reason.REVOKED, ended_by=by)) == (
        "You're signed out here",
        (
            "An administrator ended this session. "
            "Nothing in your account was changed by this."
        ),
        {Step.SIGN_IN, Step.SUPPORT},
    )


def test_account_disabled(ended):
    _, text, steps = of(ended(Reason.ACCOUNT_DISABLED))
    assert text == "This session has ended. Contact support if you need help."
    assert steps == {Step.SUPPORT}


def test_password_changed(ended):
    _, text, steps = of(ended(Reason.PASSWORD_CHANGED))
    assert text == "Your password was changed, so this device was signed out."
    assert steps == {Step.SIGN_IN, Step.SECURE_ACCOUNT}


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (1, "can now be used on 1 device, so this one was signed out."),
        (2, "can now be used on 2 devices, so this one was signed out."),
        (None, "could be used on fewer devices, so this one was signed out."),
    ],
)
def test_the_limit_was_lowered(ended, ada, settings, limit, text):
    settings.SESSION_LIMIT = None
    if limit is not None:
        AccountLimit.objects.create(user=ada, limit=limit)
    assert (
        endings.ended_session(ended(Reason.LIMIT_LOWERED)).text
        == f"Your account {text}"
    )


def test_idle_says_for_how_long(ended):
    active = timezone.now() - HOUR
    session = ended(Reason.IDLE, last_active_at=active, expires_at=active + 15 * MINUTE)
    assert of(session) == (
        "Please sign in again",
        "You were signed out after 15 minutes without activity.",
        {Step.SIGN_IN},
    )


def test_absolute_says_how_often(ended):
    signed_in = timezone.now() - DAY
    session = ended(
        Reason.ABSOLUTE, authenticated_at=signed_in, expires_at=signed_in + 12 * HOUR
    )
    assert of(session) == (
        "Please sign in again",
        "For security, you need to sign in again every 12 hours.",
        {Step.SIGN_IN},
    )


def test_an_ending_that_nobody_remembers():
    told = endings.ended_session(None)
    assert told.text == "Your session has ended."
    assert told.steps == {Step.SIGN_IN}
    assert (told.reason, told.ended_at, told.device_class) == (None, None, None)


@pytest.mark.parametrize(
    ("limit", "text"), [(1, "on 1 device at a time."), (3, "on 3 devices at a time.")]
)
def test_who_may_choose(limit, text):
    told = messages.asked(limit, is_for_all=False)
    assert told.heading == "Choose a device to sign out"
    assert text in told.text


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=20), "1 minute"),
        (MINUTE, "1 minute"),
        (timedelta(seconds=89), "1 minute"),
        (15 * MINUTE - timedelta(microseconds=9), "15 minutes"),
        (90 * MINUTE, "90 minutes"),
        (HOUR, "1 hour"),
        (36 * HOUR, "36 hours"),
        (DAY, "1 day"),
        (14 * DAY, "14 days"),
    ],
)
def test_a_span_is_said_in_the_unit_it_was_set_in(span, said):
    expected = f"You were signed out after {said} without activity."
    assert durations.without_activity(span) == expected
    every = said.removeprefix("1 ")
    expected = f"For security, you need to sign in again every {every}."
    assert durations.every(span) == expected


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (-MINUTE, "Active now"),
        (timedelta(), "Active now"),
        (2 * MINUTE - timedelta(seconds=1), "Active now"),
        (2 * MINUTE, "Active 2 minutes ago"),
        (59.9 * MINUTE, "Active 59 minutes ago"),
        (HOUR, "Active 1 hour ago"),
        (23.9 * HOUR, "Active 23 hours ago"),
        (DAY, "Active 1 day ago"),
        (400 * DAY, "Active 400 days ago"),
    ],
)
def test_activity_is_rounded(ago, said):
    assert durations.active(ago, unrecorded=MINUTE) == said


def test_what_may_not_have_been_recorded_yet_counts_as_now():
    assert durations.active(10 * MINUTE, unrecorded=10 * MINUTE) == "Active now"
