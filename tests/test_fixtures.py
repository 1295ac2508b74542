"""The output of ``dumpdata`` can be loaded, also where users have other ids."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from session_limit.models import (
    AccountLimit,
    EndReason,
    PendingSignIn,
    Play,
    UserSession,
    uuid7,
)

MODELS = (AccountLimit, UserSession, Play, PendingSignIn)
pytestmark = pytest.mark.django_db(transaction=True)


def make_user(name):
    return get_user_model().objects.create_user(username=name, password="pw")


@pytest.fixture
def ada():
    """A user who has a row in each of the tables."""
    ada = make_user("ada")
    later = timezone.now() + timedelta(days=1)
    AccountLimit.objects.create(user=ada, limit=2)
    session = UserSession.objects.create(
        user=ada, expires_at=later, session_key="k" * 32
    )
    Play.objects.create(
        user=ada, session=session, started_at=timezone.now(), lease_until=later
    )
    PendingSignIn.objects.create(user=ada, secret="s", expires_at=later)
    return ada


def dump(path, *labels, **options):
    exclude = ["contenttypes", "auth.permission"]
    call_command("dumpdata", *labels, output=path, exclude=exclude, **options)


def load(path):
    """Load the fixture into empty tables in which the next user has another id."""
    call_command("flush", interactive=False, verbosity=0)
    for name in ("x", "y", "z"):
        make_user(name)
    call_command("loaddata", path, verbosity=0)


def keys():
    return [list(model.objects.values_list("pk", "user_id")) for model in MODELS]


def counts():
    return [model.objects.count() for model in MODELS]


# Django itself loses a user whose primary key is the natural key.
LOSES_USERS = settings.AUTH_USER_MODEL == "users.CodeUser"
NATURAL = {
    "use_natural_foreign_keys": True,
    "use_natural_primary_keys": not LOSES_USERS,
}
FORMATS = ["json", "jsonl", "xml"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["auth", "users", "session_limit", "sessions"],
        ["session_limit", "users", "auth"],
        [
            "session_limit.Play",
            "session_limit.AccountLimit",
            "session_limit.UserSession",
            "session_limit.PendingSignIn",
            "auth",
            "users",
        ],
    ],
)
@pytest.mark.parametrize("options", [NATURAL, {"use_natural_foreign_keys": True}])
def test_natural_keys(ada, tmp_path, kind, labels, options):
    path = tmp_path / f"all.{kind}"
    before = counts()
    dump(path, *labels, format=kind, **options)
    load(path)
    again = get_user_model().objects.get_by_natural_key(*ada.natural_key())
    if options.get("use_natural_primary_keys"):
        # Otherwise the fixture would also be right with the primary key.
        assert again.pk != ada.pk
    assert counts() == before
    for model in MODELS:
        assert list(model.objects.values_list("user_id", flat=True)) == [again.pk]
    connection.check_constraints()


@pytest.mark.parametrize("kind", FORMATS)
def test_plain_keys(ada, tmp_path, kind):
    path = tmp_path / f"all.{kind}"
    before = keys()
    dump(path, format=kind)
    call_command("flush", interactive=False, verbosity=0)
    call_command("loaddata", path, verbosity=0)
    assert keys() == before


def test_a_fixture_that_names_the_user_by_the_primary_key_alone(ada, tmp_path):
    """Earlier versions dumped accounts like this, and people write them by hand."""
    path = tmp_path / "limits.json"
    row = {
        "model": "session_limit.accountlimit",
        "pk": str(ada.pk),
        "fields": {"limit": 7},
    }
    path.write_text(json.dumps([row]))
    call_command("loaddata", path, verbosity=0)
    assert AccountLimit.objects.get(pk=ada.pk).limit == 7


def test_a_fixture_that_names_the_user_by_the_natural_key_alone(ada, tmp_path):
    path = tmp_path / "limits.json"
    fields = {"user": list(ada.natural_key()), "limit": 7}
    row = {"model": "session_limit.accountlimit", "fields": fields}
    path.write_text(json.dumps([row]))
    call_command("loaddata", path, verbosity=0)
    assert AccountLimit.objects.get(pk=ada.pk).limit == 7


def test_a_subset_for_users_that_are_there_already(ada, tmp_path):
    path = tmp_path / "subset.json"
    dump(path, "session_limit", **NATURAL)
    for model in MODELS:
        model.objects.all().delete()
    call_command("loaddata", path, verbosity=0)
    assert counts() == [1, 1, 1, 1]


def test_loading_ends_no_session(ada, tmp_path):
    """The user of the fixture has another password, and is disabled."""
    path = tmp_path / "users.json"
    get_user_model().objects.filter(pk=ada.pk).update(is_active=False, password="!")
    dump(path, *{ada._meta.label}, **NATURAL)
    get_user_model().objects.filter(pk=ada.pk).update(is_active=True)
    call_command("loaddata", path, verbosity=0)
    assert not get_user_model().objects.get(pk=ada.pk).is_active
    assert UserSession.objects.get().is_live
    assert AccountLimit.objects.get().password_changed_at is None


def test_an_ended_session_keeps_who_ended_it_as_text(ada, tmp_path):
    UserSession.objects.create(
        id=uuid7(),
        user=ada,
        expires_at=timezone.now(),
        ended_at=timezone.now(),
        ended_reason=EndReason.REVOKED,
        ended_by="a deleted user",
    )
    output = io.StringIO()
    call_command("dumpdata", "session_limit", stdout=output, **NATURAL)
    assert '"ended_by": "a deleted user"' in output.getvalue()
