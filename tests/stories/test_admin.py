"""Administrators look at sessions and end them, if they have the permission."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models.signals import post_delete
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from session_limit import registry
from session_limit.admin import ending, filters
from session_limit.models import UserSession
from session_limit.testing import PHONE, clock
from tests.stories.people import (
    PASSWORD,
    SIGNED_IN,
    Visitor,
    events,
    live,
    make_user,
    statements,
)

Reason = UserSession.Reason
LIST = "/admin/session_limit/usersession/"
ALL = {
    "session_limit.view_usersession",
    "session_limit.end_usersession",
    "session_limit.view_address",
    "session_limit.view_accountlimit",
    "session_limit.change_accountlimit",
}


@pytest.fixture(autouse=True)
def project(project, settings, transactional_db):
    settings.ROOT_URLCONF = "tests.stories.urls_admin"
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_STORE_ADDRESS = "full"
    yield
    LogEntry.objects.all().delete()


@pytest.fixture
def hire(monkeypatch):
    """Return a function that signs in a member of staff with the given permissions."""
    user_model = get_user_model()
    granted = defaultdict(set)
    if not hasattr(user_model, "user_permissions"):
        monkeypatch.setattr(
            user_model,
            "has_perm",
            lambda user, permission, obj=None: permission in granted[user.pk],
            raising=False,
        )
        monkeypatch.setattr(
            user_model,
            "has_module_perms",
            lambda user, label: any(label in each for each in granted[user.pk]),
            raising=False,
        )
    if not hasattr(user_model, "is_staff"):
        monkeypatch.setattr(user_model, "is_staff", True, raising=False)

    def hire(name, *permissions):
        user = make_user(name)
        user_model.objects.filter(pk=user.pk).update(
            **{"is_staff": True} if user_model.is_staff is not True else {}
        )
        granted[user.pk] = {*permissions}
        if hasattr(user_model, "user_permissions"):
            for permission in permissions:
                label, codename = permission.split(".")
                user.user_permissions.add(
                    Permission.objects.get(
                        content_type__app_label=label, codename=codename
                    )
                )
        visitor = Visitor()
        visitor.sign_in(name)
        visitor.user = user
        return visitor

    yield hire
    if hasattr(user_model, "user_permissions"):
        user_model.user_permissions.through.objects.all().delete()


@pytest.fixture
def grace(hire):
    """Sign in an administrator with all permissions on sessions and users."""
    return hire("grace", *ALL, *on_users())


def on_users(*verbs):
    user = get_user_model()._meta
    verbs = verbs or ("view", "change", "delete")
    return [f"{user.app_label}.{verb}_{user.model_name}" for verb in verbs]


@pytest.fixture
def victor(hire):
    """Sign in a member of staff who may only look at sessions."""
    return hire("victor", "session_limit.view_usersession")


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def signed_in(ada):
    """Sign ada in on a laptop and a phone, each from an address worth hiding."""
    laptop, phone = Visitor(), Visitor(PHONE)
    for visitor, address in ((laptop, "203.0.113.77"), (phone, "2001:db8::beef")):
        visitor.post(
            "/login/",
            {"username": "ada", "password": PASSWORD},
            REMOTE_ADDR=address,
        )
    return laptop, phone


def page_of(session):
    return f"{LIST}{session.pk}/change/"


def page_of_user(user):
    opts = user._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[user.pk])


def selecting(*rows, **more):
    return {
        "action": "end_sessions",
        "_selected_action": [getattr(row, "pk", row) for row in rows],
        "select_across": 0,
        **more,
    }


def messages(response):
    return [str(message) for message in response.context["messages"]]


# Looking


def test_the_list(grace, ada, signed_in):
    text = grace.get(LIST).content.decode()
    assert "ada" in text
    assert "Firefox on Windows" in text
    assert "Chrome on Android" in text
    assert "203.0.113.77" in text
    assert "2001:db8::beef" in text


def test_addresses_are_masked(victor, ada, signed_in):
    for path in (LIST, *map(page_of, live(ada))):
        text = victor.get(path).content.decode()
        assert "203.0.113.77" not in text
        assert "beef" not in text
    assert "203.0.x.x" in victor.get(LIST).content.decode()
    assert "2001:db8:…" in victor.get(LIST).content.decode()


def test_keys_and_digests_are_never_shown(grace, ada, signed_in):
    secrets = [
        secret
        for row in UserSession.objects.all()
        for secret in (row.session_key, row.key_digest, row.credentials)
        if secret
    ]
    pages = [LIST, *map(page_of, live(ada)), page_of_user(ada)]
    pages.append(f"{LIST}?q={live(ada)[0].pk}")
    for path in pages:
        response = grace.get(path)
        assert response.status_code == 200
        text = response.content.decode()
        assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize(
    "lookup",
    [
        "session_key__startswith",
        "session_key",
        "key_digest__contains",
        "credentials__gt",
        "notice__isnull",
        "user__password__startswith",
        "address__startswith",
        "address",
    ],
)
def test_what_is_hidden_cannot_be_guessed(victor, signed_in, lookup):
    assert victor.get(f"{LIST}?{lookup}=1").status_code == 400


def test_who_sees_addresses_may_look_for_one(grace, signed_in):
    text = grace.get(f"{LIST}?address=203.0.113.77").content.decode()
    assert "Firefox on Windows" in text
    assert "Chrome on Android" not in text


def test_filters(grace, ada, signed_in):
    laptop, _phone = signed_in
    registry.end([laptop.row.pk], Reason.REVOKED, by=ada)
    found = {
        query: {
            row.device
            for row in grace.get(f"{LIST}?user={ada.pk}&{query}")
            .context["cl"]
            .result_list
        }
        for query in (
            "",
            "state=live",
            "state=ended",
            "state=nonsense",
            "ended_reason__exact=revoked",
            "ended_reason__exact=displaced",
            "device_class=phone",
            "device_class=computer",
            "created_at__gte=2100-01-01T00:00:00Z",
        )
    }
    firefox, chrome = "Firefox on Windows", "Chrome on Android"
    assert found == {
        "": {firefox, chrome},
        "state=live": {chrome},
        "state=ended": {firefox},
        "state=nonsense": {firefox, chrome},
        "ended_reason__exact=revoked": {firefox},
        "ended_reason__exact=displaced": set(),
        "device_class=phone": {chrome},
        "device_class=computer": {firefox},
        "created_at__gte=2100-01-01T00:00:00Z": set(),
    }


def test_search(grace, ada, signed_in):
    make_user("adam")
    Visitor().sign_in("adam")
    found = {
        term: len(grace.get(LIST, data={"q": term}).context["cl"].result_list)
        for term in (
            "ada",
            "ADAM",
            "da",
            live(ada)[0].pk,
            live(ada)[0].pk.hex,
            uuid4(),
            "'\"%_",
        )
    }
    assert [*found.values()] == [3, 1, 0, 1, 1, 0, 0]
    assert grace.get(LIST, data={"q": "\0"}).status_code == 200


def test_an_email_address_is_searched_where_users_have_one(grace, ada, signed_in):
    user_model = get_user_model()
    if not hasattr(user_model, "email") or user_model.USERNAME_FIELD == "email":
        pytest.skip("this user model has no email address beside its name")
    ada.email = "countess@example.com"
    ada.save()
    response = grace.get(LIST, data={"q": "Countess@"})
    assert len(response.context["cl"].result_list) == 2


def test_a_page_costs_the_same_for_one_and_for_a_hundred(grace, ada, signed_in):
    def look():
        for path in (LIST, page_of_user(ada)):
            assert grace.get(path).status_code == 200

    def cost():
        look()
        with statements() as ran:
            look()
        return len(ran)

    few = cost()
    now = timezone.now()
    for number in range(100):
        user = make_user(f"user{number}")
        for whose in (user, ada):
            UserSession.objects.create(user=whose, expires_at=now)
    assert cost() == few


def test_a_count_ends_where_nobody_turns_pages(grace, signed_in, monkeypatch):
    monkeypatch.setattr(filters, "COUNTED", 2)
    assert grace.get(LIST).context["cl"].result_count == 2


def test_why_it_ended_and_who_ended_it(grace, ada, signed_in, settings):
    laptop, phone = (visitor.row for visitor in signed_in)
    hopper = make_user("hopper")
    registry.end([laptop.pk], Reason.REVOKED, by=hopper)
    text = grace.get(page_of(laptop)).content.decode()
    assert "Ended from elsewhere" in text
    assert "hopper" in text
    gone = str(hopper.pk)
    hopper.delete()
    assert gone in grace.get(page_of(laptop)).content.decode()

    settings.SESSION_LIMIT = 1
    Visitor().sign_in("ada")
    text = grace.get(page_of(phone)).content.decode()
    assert "Displaced by a newer sign-in" in text
    assert page_of(live(ada)[0]) in text


def test_looking_is_logged(grace, ada, signed_in, caplog):
    caplog.set_level(logging.INFO, logger="session_limit")
    session = live(ada)[0]
    grace.get(LIST)
    grace.get(page_of(session))
    grace.get(page_of_user(ada))
    by = grace.user.pk if isinstance(grace.user.pk, int) else str(grace.user.pk)
    assert events(caplog) == [
        {
            "event": f"sessions_viewed:{ada.pk}",
            "by": by,
            "session": str(session.pk),
        },
        {
            "event": f"sessions_viewed:{ada.pk}",
            "by": by,
        },
    ]


# Permissions


@pytest.mark.parametrize("path", [LIST, f"{LIST}{UUID(int=1)}/change/"])
def test_nobody_else_looks(hire, ada, signed_in, path):
    for visitor in (hire("otto"), hire("eve", "session_limit.end_usersession")):
        assert visitor.get(path).status_code == 403
    laptop, _phone = signed_in
    assert laptop.get(path).status_code in {302, 403}
    assert Visitor().get(path).status_code == 302


@pytest.mark.parametrize("name", ["add/", "{}/delete/"])
def test_no_session_is_added_or_deleted(grace, ada, signed_in, name):
    path = LIST + name.format(live(ada)[0].pk)
    assert grace.get(path).status_code == 403
    assert grace.post(path, {"post": "yes"}).status_code == 403
    assert len(live(ada)) == 2


def test_no_session_is_changed(grace, ada, signed_in):
    session = live(ada)[0]
    assert grace.post(page_of(session), {"device": "x"}).status_code == 403
    actions = dict(grace.get(LIST).context["action_form"].fields["action"].choices)
    assert set(actions) == {"", "end_sessions"}
    text = grace.get(page_of(session)).content.decode()
    assert "delete/" not in text


def test_ending_needs_its_own_permission(victor, ada, signed_in):
    session = live(ada)[0]
    assert "end_sessions" not in victor.get(LIST).content.decode()
    assert "end_sessions" not in victor.get(page_of(session)).content.decode()
    victor.post(LIST, selecting(session, confirmed="yes"))
    assert len(live(ada)) == 2


def test_ending_needs_a_token(grace, ada, signed_in):
    client = Client(enforce_csrf_checks=True)
    client.cookies = grace.client.cookies
    response = client.post(LIST, selecting(*live(ada), confirmed="yes"))
    assert response.status_code == 403
    assert len(live(ada)) == 2


def test_get_ends_nothing(grace, ada, signed_in):
    data = selecting(*live(ada), confirmed="yes")
    grace.get(LIST, data=data)
    grace.get(page_of(live(ada)[0]), data=data)
    assert len(live(ada)) == 2


# Ending


def test_ending_is_confirmed(grace, ada, signed_in):
    session, other = live(ada)
    response = grace.post(LIST, selecting(session))
    text = response.content.decode()
    assert response.status_code == 200
    assert "cannot be undone" in text
    assert session.device in text
    assert other.device not in text
    assert "you will be signed out" not in text
    assert len(live(ada)) == 2
    # These are the fields of the page's form.
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text))
    response = grace.post(LIST, fields, follow=True)
    assert messages(response) == ["1 session was ended."]
    assert live(ada) == [other]


def test_what_it_tells_and_leaves(grace, ada, signed_in, caplog):
    laptop, phone = signed_in
    caplog.set_level(logging.INFO, logger="session_limit")
    rows = live(ada)
    response = grace.post(LIST, selecting(*rows, confirmed="yes"), follow=True)
    assert messages(response) == ["2 sessions were ended."]
    assert laptop.state == phone.state == Reason.REVOKED
    assert {row.ended_by for row in UserSession.objects.ended()} == {str(grace.user.pk)}
    ended = [each for each in events(caplog) if "expired" in each["event"]]
    assert [each["by"] for each in ended] == [str(grace.user.pk)] * 2
    entries = {(entry.object_id, entry.user_id) for entry in LogEntry.objects.all()}
    assert entries == {(str(each.pk), grace.user.pk) for each in (*rows, ada)}
    history = grace.get(f"{LIST}{rows[0].pk}/history/").content.decode()
    assert "Ended." in history


def test_what_is_over_is_over(grace, ada, signed_in):
    rows = live(ada)
    registry.end([rows[0].pk], Reason.DISPLACED)
    response = grace.post(LIST, selecting(*rows, confirmed="yes"), follow=True)
    assert messages(response) == [
        "1 session was ended.",
        "1 had been over already.",
    ]
    response = grace.post(LIST, selecting(*rows, confirmed="yes"), follow=True)
    assert messages(response) == ["The selected sessions were over already."]
    assert UserSession.objects.get(pk=rows[0].pk).ended_reason == Reason.DISPLACED


def test_ones_own_session(grace, ada, signed_in):
    text = grace.post(LIST, selecting(grace.row, *live(ada))).content.decode()
    assert "you will be signed out" in text
    response = grace.post(LIST, selecting(grace.row, *live(ada), confirmed="yes"))
    assert live() == []
    assert response.status_code == 302
    assert grace.state == Reason.REVOKED
    assert LogEntry.objects.count() == 5


def test_thousands(grace, ada, signed_in, monkeypatch):
    """
    An action across all pages ends what the filter finds, in batches, and nothing else.
    """
    monkeypatch.setattr(ending, "BATCH", 7)
    now = timezone.now()
    UserSession.objects.bulk_create(
        UserSession(user=ada, expires_at=now) for _ in range(250)
    )
    path = f"{LIST}?user={ada.pk}"
    across = selecting(live(ada)[0], select_across=1)
    text = grace.post(path, across).content.decode()
    assert "252 sessions" in text
    assert "and 152 more" in text
    with statements() as ran:
        response = grace.post(path, {**across, "confirmed": "yes"}, follow=True)
    assert messages(response) == ["252 sessions were ended."]
    assert live() == [grace.row]
    assert len(ran) < 252 * 2


@pytest.mark.parametrize("ahead", [5, 3600])
def test_a_session_that_a_server_with_a_fast_clock_recorded(grace, ada, ahead):
    with clock() as now:
        now.advance(ahead)
        laptop = Visitor()
        laptop.sign_in("ada")
    response = grace.post(LIST, selecting(*live(ada), confirmed="yes"), follow=True)
    assert messages(response) == ["1 session was ended."]
    assert laptop.state == Reason.REVOKED


def test_who_signs_in_meanwhile_was_not_selected(grace, ada, signed_in, monkeypatch):
    """Newer sessions do not keep the action from coming to an end either."""
    monkeypatch.setattr(ending, "BATCH", 1)
    end, ended = registry.end, []

    def end_while_others_sign_in(ids, *args, **kwargs):
        ended.append(ids)
        assert len(ended) < 5, "the action does not come to an end"
        for name in ("bea", "cleo"):
            user = make_user(f"{name}{len(ended)}")
            UserSession.objects.create(user=user, expires_at=timezone.now())
        return end(ids, *args, **kwargs)

    monkeypatch.setattr(registry, "end", end_while_others_sign_in)
    selected = [row.pk for row in live()]
    across = selecting(live(ada)[0], select_across=1, confirmed="yes")
    grace.post(LIST, across)
    assert sorted(id for ids in ended for id in ids) == sorted(selected)
    assert len(live()) == 2 * len(selected)


def test_from_its_page(grace, ada, signed_in):
    session = live(ada)[0]
    text = grace.get(page_of(session)).content.decode()
    assert f'formaction="{LIST}"' in text
    assert str(session.pk) in re.search(r'name="_selected_action"[^>]+', text)[0]
    registry.end([session.pk], Reason.DISPLACED)
    assert "formaction" not in grace.get(page_of(session)).content.decode()


@pytest.mark.parametrize(
    "hostile",
    [
        {"_selected_action": "not-an-id"},
        {"_selected_action": "' OR 1=1 --"},
        {"_selected_action": "\0"},
        {"_selected_action": "x" * 100_000},
        {"_selected_action": str(uuid4())},
        {"action": "delete_selected"},
        {"action": "__class__"},
        {"select_across": "9" * 400},
        {"index": "-1e9"},
    ],
)
def test_hostile_selections(grace, ada, signed_in, hostile):
    data = {**selecting(uuid4(), confirmed="yes"), **hostile}
    if "select_across" in hostile:
        data["action"] = ""
    assert grace.post(LIST, data).status_code in {200, 302, 400}
    assert len(live(ada)) == 2


def test_hostile_names_are_escaped(grace, ada, signed_in):
    UserSession.objects.filter(user=ada).update(device="<script>alert(1)</script>")
    for text in (
        grace.get(LIST).content,
        grace.get(page_of(live(ada)[0])).content,
        grace.get(page_of_user(ada)).content,
        grace.post(LIST, selecting(*live(ada))).content,
    ):
        assert b"<script>alert" not in text
        assert b"&lt;script&gt;alert" in text


# The user's page


def change(visitor, user, limit, meanwhile=lambda: None):
    """Submit the page of ``user`` as it is shown, with another limit."""
    response = visitor.get(page_of_user(user))
    form = response.context["adminform"].form
    data = {
        name: "" if form[name].value() is None else form[name].value()
        for name in form.fields
    }
    data = {name: value for name, value in data.items() if value not in (False, [])}
    for formset in response.context["inline_admin_formsets"]:
        prefix = formset.formset.prefix
        for bound in formset.formset.management_form:
            data[bound.html_name] = bound.value()
        if prefix == "accountlimit":
            data["accountlimit-0-user"] = user.pk
            data["accountlimit-0-limit"] = limit
        assert prefix in {"accountlimit", "usersession"}, prefix
    if "date_joined" in form.fields:
        data |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    meanwhile()
    return visitor.post(page_of_user(user), data, follow=True)


def test_a_users_sessions(grace, ada, signed_in):
    registry.end([live(ada)[0].pk], Reason.DISPLACED)
    text = grace.get(page_of_user(ada)).content.decode()
    assert "Firefox on Windows" not in text
    assert "Chrome on Android" in text
    assert "2001:db8::beef" in text
    assert page_of(live(ada)[0]) in text
    link = f"{LIST}?user={ada.pk}"
    assert link in text
    assert len(grace.get(link).context["cl"].result_list) == 2


def test_a_limit_of_ones_own(grace, ada, signed_in, caplog):
    laptop, phone = signed_in
    caplog.set_level(logging.INFO, logger="session_limit")
    laptop.open()
    response = change(grace, ada, 1)
    assert response.status_code == 200
    assert any(
        "1 session beyond the limit was ended." in each for each in messages(response)
    )
    assert registry.limit_of(ada) == 1
    assert [laptop.state, phone.state] in (
        [Reason.LIMIT_LOWERED, SIGNED_IN],
        [SIGNED_IN, Reason.LIMIT_LOWERED],
    )
    entry = LogEntry.objects.get(object_id=str(ada.pk))
    assert "imit" in entry.get_change_message()
    changed = [each for each in events(caplog) if "limit_changed" in each["event"]]
    assert [each["event"] for each in changed] == [
        f"session_limit_changed:{ada.pk},None,1"
    ]

    # An empty limit restores the project's.
    response = change(grace, ada, "")
    assert registry.limit_of(ada) is None
    assert len(live(ada)) == 1


def test_a_page_saved_as_it_was_changes_no_limit(grace, ada, signed_in, caplog):
    registry.set_limit(ada, 5)
    caplog.clear()
    change(grace, ada, 5)
    assert not [each for each in events(caplog) if "changed" in each["event"]]
    assert registry.limit_of(ada) == 5


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1e3", "99999999999999999999"])
def test_what_is_no_limit(grace, ada, signed_in, limit):
    response = change(grace, ada, limit)
    assert response.context["errors"]
    assert registry.limit_of(ada) is None
    assert len(live(ada)) == 2


def test_a_limit_before_the_first_sign_in(grace, ada):
    change(grace, ada, 3)
    assert registry.limit_of(ada) == 3


def test_a_first_sign_in_while_the_page_is_open(grace, ada):
    response = change(grace, ada, 3, meanwhile=lambda: Visitor().sign_in("ada"))
    assert not response.context.get("errors")
    assert registry.limit_of(ada) == 3


def test_a_session_that_ends_while_the_page_is_open(grace, ada, signed_in):
    def end():
        registry.end_all(ada, Reason.DISPLACED)

    response = change(grace, ada, 3, meanwhile=end)
    assert not response.context.get("errors")
    assert registry.limit_of(ada) == 3


def test_a_limit_needs_its_own_permission(hire, ada, signed_in):
    looks = "session_limit.view_accountlimit"
    viewer = hire("vera", *on_users(), looks, "session_limit.view_usersession")
    text = viewer.get(page_of_user(ada)).content.decode()
    assert "accountlimit-0-limit" not in text
    assert "203.0.x.x" in text
    change(viewer, ada, 1)
    assert registry.limit_of(ada) is None
    nobody = hire("nora", *on_users())
    text = nobody.get(page_of_user(ada)).content.decode()
    assert "accountlimit" not in text
    assert "Firefox" not in text


def test_a_new_user_has_no_sessions_and_may_have_a_limit(hire):
    user = get_user_model()
    grace = hire("grace", *ALL, *on_users("add", "change"))
    path = f"/admin/{user._meta.app_label}/{user._meta.model_name}/add/"
    text = grace.get(path).content
    assert b"usersession-group" not in text
    if not hasattr(user, "username"):
        return
    data = {
        "username": "new",
        "usable_password": "false",
        "accountlimit-TOTAL_FORMS": 1,
        "accountlimit-INITIAL_FORMS": 0,
        "accountlimit-0-limit": 4,
    }
    response = grace.post(path, data)
    assert response.status_code == 302, response.context["errors"]
    assert registry.limit_of(user.objects.get(username="new")) == 4


@pytest.fixture(params=[False, True], ids=["unheard", "heard"])
def listening(request):
    """If a project listens to the deletion of sessions, the admin lists them."""
    heard = []

    def hear(instance, **kwargs):
        heard.append(instance)

    if request.param:
        post_delete.connect(hear, sender=UserSession)
    yield
    post_delete.disconnect(hear, sender=UserSession)
    assert bool(heard) == request.param


def test_a_user_is_deleted_with_all_sessions(grace, ada, signed_in, listening):
    path = page_of_user(ada).replace("change/", "delete/")
    text = grace.get(path).content.decode()
    assert "permission" not in text
    response = grace.post(path, {"post": "yes"})
    assert response.status_code == 302
    assert not get_user_model().objects.filter(pk=ada.pk).exists()
    assert not UserSession.objects.for_user(ada).exists()
    laptop, _phone = signed_in
    assert laptop.name is None


def test_users_are_deleted_with_all_sessions(grace, ada, signed_in):
    opts = ada._meta
    path = f"/admin/{opts.app_label}/{opts.model_name}/"
    data = {"action": "delete_selected", "_selected_action": [ada.pk], "post": "yes"}
    grace.post(path, data)
    assert not get_user_model().objects.filter(pk=ada.pk).exists()
