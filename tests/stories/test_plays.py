"""An account may sign in on many devices and play on few."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.utils import timezone

from session_limit import registry
from session_limit.models import DatabaseNow, Play, UserSession
from session_limit.policy import AtLimit
from session_limit.registry.pruning import prune_plays
from session_limit.rules import Rules
from session_limit.signals import play_ended, play_limit_reached, play_started
from session_limit.store import liveness
from tests.stories.people import JSON, events, live, make_user, statements, writes
from tests.zones import all_settings, zone

__all__ = ["zone"]

Reason = Play.Reason
LIST = "/account/sessions/"
PLAYS = f"{LIST}plays/"


@pytest.fixture(autouse=True)
def plays(project, settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_PLAYS = 1


def post(visitor, path, **data):
    return visitor.post(
        path, json.dumps(data), content_type="application/json", headers=JSON
    )


def start(visitor, what="film", **data):
    """Press play in ``visitor``, and return the answer."""
    return post(visitor, PLAYS, what=what, **data)


def renew(visitor, id):
    return post(visitor, f"{PLAYS}{id}/renew/")


def stop(visitor, id):
    return post(visitor, f"{PLAYS}{id}/stop/")


def started(visitor, what="film", **data):
    """Press play in ``visitor``, and return the play's id."""
    answer = start(visitor, what, **data)
    assert answer.status_code == 200, answer.content
    return answer.json()["play"]


def state(visitor, id):
    """Return "playing" if the play can be renewed, and otherwise why it ended."""
    answer = renew(visitor, id)
    said = answer.json()
    return said["code"] if answer.status_code == 200 else said.get("reason")


def lapse(id, by=timedelta(minutes=1)):
    """Let the lease run out, by the database's clock."""
    Play.objects.filter(pk=id).update(lease_until=DatabaseNow() - by)


def playing():
    return [str(id) for id in Play.objects.live().values_list("pk", flat=True)]


@pytest.fixture
def both(ada, laptop, phone):
    """Sign in on a laptop and a phone."""
    laptop.sign_in()
    phone.sign_in()


def test_the_newest_play_pauses_the_other(both, laptop, phone):
    first = started(laptop)
    assert state(laptop, first) == "playing"
    second = started(phone)
    assert playing() == [second]
    answer = renew(laptop, first)
    assert answer.status_code == 410
    said = answer.json()
    ended_at = Play.objects.get(pk=first).ended_at
    assert said == {
        "version": 1,
        "code": "play_ended",
        "reason": "displaced",
        "heading": "Playback moved to another device.",
        "detail": "It is playing on a phone now.",
        "ended_at": said_at(ended_at),
        "device_class": "phone",
        "actions": [
            {"step": "watch_here", "label": "Watch here", "url": None},
            {
                "step": "see_devices",
                "label": "See devices",
                "url": LIST,
            },
        ],
    }
    # Both devices are still signed in.
    assert len(live()) == 2
    # A click brings it back.
    third = started(laptop)
    assert state(phone, second) == "displaced"
    assert playing() == [third]


def test_what_a_play_is_told(both, laptop):
    said = start(laptop).json()
    assert said == {
        "version": 1,
        "code": "playing",
        "play": said["play"],
        "interval": 10.0,
        "lease": 30.0,
    }
    assert renew(laptop, said["play"]).json() == said


def test_a_place_is_free_at_once_that_is_given_up(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first = started(laptop)
    assert start(phone).status_code == 409
    assert stop(laptop, first).json() == {"version": 1, "code": "stopped"}
    assert stop(laptop, first).status_code == 200
    assert stop(laptop, uuid.uuid4()).status_code == 200
    started(phone)
    assert state(laptop, first) == "stopped"


@pytest.mark.parametrize("ending", ["sign out", "revoked", "disabled"])
def test_a_session_that_ends_plays_no_more(ending, ada, both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first, session = started(laptop), laptop.row
    if ending == "sign out":
        laptop.sign_out()
    elif ending == "revoked":
        registry.end([session.pk], UserSession.Reason.REVOKED)
    else:
        ada.is_active = False
        ada.save()
    assert playing() == []
    assert renew(laptop, first).status_code == 401
    if ending != "disabled":
        started(phone)
        row = Play.objects.get(pk=first)
        assert row.ended_reason == "session_ended"
        session.refresh_from_db()
        assert row.ended_at == session.ended_at


def test_what_is_not_heard_of_gives_its_place_up(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first = started(laptop)
    lapse(first)
    assert state(laptop, first) == "lapsed"  # no other play has taken the place yet
    started(phone)
    assert state(laptop, first) == "lapsed"
    row = Play.objects.get(pk=first)
    assert row.ended_at == row.lease_until


def test_a_lease_is_thirty_seconds_by_the_clock_of_the_database(both, laptop, time):
    time.advance(timedelta(hours=3))  # the clock of this machine
    first = started(laptop)
    left = Play.objects.annotate(left=F("lease_until") - DatabaseNow()).get().left
    assert timedelta(seconds=25) < left <= timedelta(seconds=30)
    time.advance(timedelta(hours=-6))
    assert state(laptop, first) == "playing"


def test_the_oldest_goes_whatever_clocks_the_servers_have(
    both, laptop, phone, settings, time
):
    settings.SESSION_LIMIT_PLAYS = 2
    time.advance(timedelta(seconds=5))
    first = started(laptop)
    time.advance(timedelta(seconds=-10))
    second = started(phone)
    third = started(laptop)
    assert state(laptop, first) == "displaced"
    assert state(phone, second) == state(laptop, third) == "playing"


def test_refused_it_is_said_who_plays(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first = started(laptop)
    answer = start(phone)
    assert answer.status_code == 409
    said = answer.json()
    assert said.pop("rivals") == [
        {
            "play": first,
            "device": "Firefox on Windows",
            "device_class": "computer",
            "started_at": said_at(Play.objects.get().started_at),
            "is_here": False,
            "swap": None,
        }
    ]
    assert said == {
        "version": 1,
        "code": "play_limit",
        "heading": "1 of 1 stream is in use.",
        "detail": "To watch here, stop watching on another device.",
        "limit": 1,
        "in_use": 1,
        "actions": [{"step": "see_devices", "label": "See devices", "url": LIST}],
    }


def said_at(moment):
    return moment.isoformat()[:23] + "Z"


def test_a_person_who_is_asked_swaps(both, laptop, phone, tablet, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "ask"
    settings.SESSION_LIMIT_PLAYS = 2
    tablet.sign_in()
    first, second = started(laptop), started(tablet)
    rivals = start(phone).json()["rivals"]
    assert [rival["play"] for rival in rivals] == [first, second]
    codes = [rival["swap"] for rival in rivals]
    third = started(phone, swap=codes[1])
    assert state(laptop, first) == "playing"
    assert state(tablet, second) == "displaced"
    # Each code works once, and for no other session.
    assert stop(phone, third).status_code == 200
    started(tablet)
    assert start(phone, swap=codes[1]).status_code == 409
    assert start(tablet, swap=codes[0]).status_code == 409
    for code in ("", "forged", 7, None, ["a"], codes[0] + "x"):
        assert start(phone, swap=code).status_code == 409
    assert start(phone, swap=codes[0]).status_code == 200
    assert state(laptop, first) == "displaced"


def test_a_code_grows_old(both, laptop, phone, settings, monkeypatch):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "ask"
    started(laptop)
    code = start(phone).json()["rivals"][0]["swap"]
    monkeypatch.setattr("session_limit.pages.play_swap.LIFETIME", timedelta(seconds=-1))
    assert start(phone, swap=code).status_code == 409


def test_observed_nobody_is_stopped_and_all_is_told(
    both, laptop, phone, settings, caplog
):
    caplog.set_level("INFO", "session_limit")
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "observe"
    first, second = started(laptop), started(phone)
    assert playing() == [first, second]
    [met] = [line for line in events(caplog) if "excess_plays" in line["event"]]
    assert met["at_limit"] == "observe"
    assert met["play"] == second


def test_a_retry_is_the_same_start(both, laptop, phone):
    first = started(laptop, key="press 1")
    assert started(laptop, key="press 1") == first
    assert Play.objects.count() == 1
    # The same key in another session starts another play.
    second = started(phone, key="press 1")
    assert second != first
    # Repeating a start does not bring an ended play back.
    answer = start(laptop, key="press 1")
    assert (answer.status_code, answer.json()["reason"]) == (410, "displaced")
    assert playing() == [second]


def test_what_is_not_answered_yet_is_stopped_by_its_key(both, laptop, phone):
    first, second = started(laptop, key="press 1"), started(phone, key="press 2")
    assert playing() == [second]
    # Another session's key stops nothing, and neither does an unknown one.
    for key in ("press 2", "press 3"):
        assert post(laptop, f"{PLAYS}stop/", key=key).json()["code"] == "stopped"
    assert playing() == [second]
    for _ in range(2):
        answer = post(phone, f"{PLAYS}stop/", key="press 2")
        assert (answer.status_code, answer.json()["code"]) == (200, "stopped")
    assert playing() == []
    assert state(phone, second) == "stopped"
    assert state(laptop, first) == "displaced"


@pytest.mark.parametrize("key", ["", "k" * 65, "a\0b"])
def test_a_key_that_is_none_stops_nothing(both, laptop, key):
    started(laptop)
    answer = post(laptop, f"{PLAYS}stop/", key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert len(playing()) == 1


def test_swapping_too_often_cools_down(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAY_COOLDOWN = 60
    started(laptop)
    second = started(phone)
    answer = start(laptop)
    assert answer.status_code == 429
    said = answer.json()
    assert said["code"] == "cooling_down"
    assert 0 < said["retry_after"] <= 60
    assert answer.headers["Retry-After"] == str(said["retry_after"])
    assert said["heading"] == "Playback has only just moved to another device."
    assert said["detail"] == f"You can watch here in {said['retry_after']} seconds."
    assert playing() == [second]
    # A play that was stopped was not swapped.
    stop(phone, second)
    third = started(laptop)
    Play.objects.update(ended_at=F("ended_at") - timedelta(seconds=61))
    started(phone)
    assert state(laptop, third) == "displaced"
    settings.SESSION_LIMIT_PLAY_COOLDOWN = timedelta(minutes=30)
    assert "30 minutes" in start(laptop).json()["detail"]


class ByKind(Rules):
    def play_limit(self, user, scope):
        return {"music": 1, "film": 2}.get(scope)

    def play_at_limit(self, user, scope):
        return "deny"

    def play_scope(self, user, session, what):
        return what.partition(":")[0]


def test_each_kind_of_content_by_itself(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS = None
    settings.SESSION_LIMIT_RULES = f"{__name__}.ByKind"
    started(laptop, "music:1")
    assert start(phone, "music:2").json()["limit"] == 1
    started(laptop, "film:1")
    started(phone, "film:2")
    answer = start(phone, "film:3").json()
    assert answer["heading"] == "2 of 2 streams are in use."
    assert [rival["is_here"] for rival in answer["rivals"]] == [False, True]
    for n in range(5):
        started(phone, f"free:{n}")


class ByDevice(Rules):
    def play_scope(self, user, session, what):
        return session.device_class


def test_each_class_of_device_by_itself(both, laptop, phone, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ByDevice"
    first, second = started(laptop), started(phone)
    assert playing() == [first, second]


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("play_limit", 0, "must return None or a whole number above zero"),
        ("play_limit", "2", "returned '2'"),
        ("play_at_limit", "kick", r"Rules.play_at_limit\(\) returned 'kick'. It must"),
        ("play_scope", None, r"Rules.play_scope\(\) returned None. It must return a"),
        ("play_scope", "x" * 65, "at most 64"),
    ],
)
def test_rules_that_answer_what_cannot_be(
    name, answer, said, ada, laptop, monkeypatch, settings
):
    laptop.sign_in()
    monkeypatch.setattr(Rules, name, lambda *args: answer)
    with pytest.raises(ImproperlyConfigured, match=said):
        registry.play(laptop.row)
    assert Play.objects.count() == 0


def test_a_limit_that_is_lowered_stops_the_oldest(ada, both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS = 2
    first, second = started(laptop), started(phone)
    settings.SESSION_LIMIT_PLAYS = 1
    assert [str(row.pk) for row in registry.enforce_plays(ada)] == [first]
    answer = renew(laptop, first)
    assert answer.json()["reason"] == "limit_lowered"
    assert answer.json()["detail"] == ("You can now watch on fewer devices at a time.")
    assert state(phone, second) == "playing"
    # Enforcing the account's limit on sessions includes the one on plays.
    settings.SESSION_LIMIT_PLAYS = 2
    started(laptop)
    settings.SESSION_LIMIT_PLAYS = 1
    registry.enforce(ada)
    assert state(phone, second) == "limit_lowered"


@all_settings
def test_a_cooldown_and_a_lapse_do_not_depend_on_the_time_zone(
    zone, both, laptop, phone, settings
):
    first = started(laptop)
    second = started(phone)
    assert state(laptop, first) == "displaced"
    settings.SESSION_LIMIT_PLAY_COOLDOWN = 60
    answer = start(laptop)
    assert answer.status_code == 429
    assert 55 < answer.json()["retry_after"] <= 60
    lapse(second, timedelta(minutes=10))
    prune_plays()
    assert state(phone, second) == "lapsed"


# Automatic starts


@pytest.mark.parametrize("resumes", [True, "true"])
def test_what_resumes_by_itself_displaces_nobody(both, laptop, phone, resumes):
    first = started(laptop)
    lapse(first)
    second = started(phone)
    answer = start(laptop, resumes=resumes)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (409, "play_limit")
    assert [rival["play"] for rival in said["rivals"]] == [second]
    # A click would be enough.
    assert (said["actions"][0]["step"], said["detail"]) == ("watch_here", "")
    stop(phone, second)
    third = started(laptop, resumes=resumes)
    assert playing() == [third]
    assert start(phone, resumes=False).status_code == 200


def test_observed_it_resumes_beside_others(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "observe"
    first, second = started(laptop), started(phone, resumes=True)
    assert set(playing()) == {first, second}


def test_what_is_no_flag(both, laptop):
    assert start(laptop, resumes="perhaps").status_code == 400


def test_a_page_that_is_loaded_again_does_not_cool_down(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAY_COOLDOWN = 60
    for _ in range(3):
        started(laptop)
    started(phone)
    assert start(laptop).status_code == 429


def test_asked_in_a_cooldown_there_is_nothing_to_choose(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "ask"
    settings.SESSION_LIMIT_PLAY_COOLDOWN = 60
    started(laptop)
    [rival] = start(phone).json()["rivals"]
    started(phone, swap=rival["swap"])
    answer = start(laptop)
    assert answer.status_code == 429
    assert [rival["swap"] for rival in answer.json()["rivals"]] == [None]


def test_a_swap_brings_a_lowered_limit_down(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "ask"
    settings.SESSION_LIMIT_PLAYS = 3
    oldest, chosen, other = started(laptop), started(phone), started(laptop)
    settings.SESSION_LIMIT_PLAYS = 2
    answer = start(phone)
    assert answer.json()["heading"] == "2 of 2 streams are in use."
    codes = {each["play"]: each["swap"] for each in answer.json()["rivals"]}
    new = started(phone, swap=codes[chosen])
    assert set(playing()) == {other, new}
    assert state(laptop, oldest) == state(phone, chosen) == "displaced"


def test_in_another_tab_it_is_not_another_device(both, laptop, settings):
    first = started(laptop)
    second = started(laptop)
    answer = renew(laptop, first).json()
    assert answer["heading"] == "Playback moved to another tab."
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    answer = start(laptop).json()
    assert answer["detail"] == "To watch here, stop watching in another tab."
    assert playing() == [second]


def test_one_that_has_lapsed_did_not_play_until_it_is_stopped(both, laptop):
    first = started(laptop)
    lapse(first, timedelta(hours=8))
    stop(laptop, first)
    prune_plays()
    row = Play.objects.get(pk=first)
    assert (row.ended_reason, row.ended_at) == ("lapsed", row.lease_until)


def test_it_is_over_with_its_session_whoever_notices_when(ada, both, laptop, phone):
    for notice in (prune_plays, lambda: registry.enforce_plays(ada)):
        first = started(laptop)
        [ended] = registry.end([laptop.row.pk], UserSession.Reason.REVOKED)
        UserSession.objects.filter(pk=ended.pk).update(
            ended_at=timezone.now() - timedelta(minutes=5)
        )
        lapse(first, timedelta(minutes=4))
        notice()
        row = Play.objects.get(pk=first)
        assert row.ended_reason == "session_ended"
        assert row.ended_at < row.lease_until
        laptop.sign_in()


def test_nobody_else_is_concerned(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    first, second = started(laptop), started(phone)
    assert playing() == [first, second]
    assert renew(phone, first).status_code == 404
    assert stop(phone, first).status_code == 200
    assert state(laptop, first) == "playing"
    assert [str(row.pk) for row in registry.live_plays(ada)] == [first]


def test_who_is_not_signed_in_plays_nothing(ada, laptop, phone):
    laptop.sign_in()
    first = started(laptop)
    for answer in (start(phone), renew(phone, first), stop(phone, first)):
        assert answer.status_code == 401
        assert answer.json() == {"version": 1, "code": "not_signed_in"}
    registry.end_all(ada, UserSession.Reason.REVOKED)
    said = start(laptop).json()
    assert (said["code"], said["reason"]) == ("session_ended", "revoked")


def test_what_cannot_be(both, laptop):
    for data in (
        {"what": "x" * 201},
        {"what": 7},
        {"what": "\0"},
        {"key": "x" * 65},
        {"key": ["a"]},
    ):
        answer = start(laptop, **data)
        assert answer.status_code == 400, data
        assert answer.json()["code"] == "bad_request"
    answer = laptop.post(PLAYS, "[", content_type="application/json", headers=JSON)
    assert answer.status_code == 400
    for path in (PLAYS, f"{PLAYS}{uuid.uuid4()}/renew/"):
        assert laptop.get(path).status_code == 405
    assert renew(laptop, uuid.uuid4()).json()["code"] == "not_found"
    assert Play.objects.count() == 0
    with pytest.raises(ValueError, match="at most 200"):
        registry.play(laptop.row, "x" * 201)


def test_a_form_starts_one_too(both, laptop):
    answer = laptop.post(PLAYS, {"what": "film"})
    assert answer.json()["code"] == "playing"


def test_other_sites_start_none(both, laptop):
    laptop.client.handler.enforce_csrf_checks = True
    assert start(laptop).status_code == 403


def test_without_the_setting_there_are_none(both, laptop, settings):
    del settings.SESSION_LIMIT_PLAYS
    with statements() as ran:
        answer = start(laptop)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_plays")
    assert not any("session_limit_play" in sql for sql in ran)
    with pytest.raises(ImproperlyConfigured):
        registry.play(laptop.row)


def test_a_heartbeat_is_one_update(both, laptop):
    id = started(laptop)
    with statements() as ran:
        renew(laptop, id)
    [update] = writes(ran)
    assert update.startswith("UPDATE")
    assert "session_limit_play" in update
    assert len(ran) <= 4


def test_what_is_told(both, laptop, phone, caplog):
    caplog.set_level("INFO", "session_limit")
    heard = []

    def hear(sender, signal, **kwargs):
        heard.append(kwargs)

    for signal in (play_started, play_ended, play_limit_reached):
        signal.connect(hear)
    try:
        first = started(laptop)
        second = started(phone)
        stop(phone, second)
    finally:
        for signal in (play_started, play_ended, play_limit_reached):
            signal.disconnect(hear)
    said = [line["event"].partition(":")[0] for line in events(caplog)[-5:]]
    assert said == [
        "play_started",
        "play_ended",
        "play_started",
        "excess_plays_exceeded",
        "play_ended",
    ]
    assert str(heard[0]["play"].pk) == first
    assert heard[1]["reason"] is Reason.DISPLACED
    assert str(heard[1]["by_play"]) == second
    assert heard[3]["at_limit"] is AtLimit.DISPLACE
    assert heard[4]["reason"] is Reason.STOPPED


def test_what_is_old_is_pruned(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS = None
    old, lapsed, new = started(laptop), started(phone), started(phone)
    stop(laptop, old)
    Play.objects.filter(pk=old).update(ended_at=F("ended_at") - timedelta(days=31))
    lapse(lapsed, by=timedelta(days=1))
    registry.prune()
    assert not Play.objects.filter(pk=old).exists()
    row = Play.objects.get(pk=lapsed)
    assert (row.ended_reason, row.ended_at) == ("lapsed", row.lease_until)
    assert state(phone, new) == "playing"


def test_what_a_deleted_account_played_is_deleted(ada, both, laptop):
    started(laptop)
    ada.delete()
    assert Play.objects.count() == 0


def test_a_queryset_knows_what_counts(both, laptop, phone, settings):
    settings.SESSION_LIMIT_PLAYS = None
    first, second, third = started(laptop), started(phone), started(laptop)
    stop(laptop, first)
    lapse(third)
    assert playing() == [second]
    phone.sign_out()
    assert playing() == []
    assert Play.objects.leased().count() == 1
    assert str(Play.objects.first()) == first


def test_one_who_is_shown_another_account_plays_nothing(both, laptop, monkeypatch):
    eves = UserSession(user=make_user("eve"), expires_at=timezone.now())
    monkeypatch.setattr(
        "session_limit.views.base.state_of",
        lambda request: SimpleNamespace(row=liveness.Row.of(eves)),
    )
    answer = start(laptop)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_owner")
