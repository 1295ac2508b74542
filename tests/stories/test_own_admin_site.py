"""A project registers the package's admin classes on an admin site of its own."""

from __future__ import annotations

import re
from functools import partial
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import include, path

from session_limit.admin import (
    AccountLimitInline,
    UserSessionAdmin,
    UserSessionInline,
)
from session_limit.models import UserSession
from tests.stories.people import JSON, make_user
from tests.stories.urls import urlpatterns as stories


class BackOffice(admin.AdminSite):
    site_header = "Back office"


class PersonAdmin(admin.ModelAdmin):
    fields = ["is_active"]
    inlines = [AccountLimitInline, UserSessionInline]


site = BackOffice(name="backoffice")
site.register(get_user_model(), PersonAdmin)
site.register(UserSession, UserSessionAdmin)

OTHERS = [each for each in stories if getattr(each, "namespace", None) != "admin"]
ALONE = (path("back-office/", site.urls), *OTHERS)
BESIDE = (path("back-office/", site.urls), *stories)
SESSIONS = "/back-office/session_limit/usersession/"


@pytest.fixture
def grace(transactional_db):
    user_model = get_user_model()
    if not hasattr(user_model, "is_staff"):
        pytest.skip("this user model has no staff")
    rights = filter(partial(hasattr, user_model), ["is_staff", "is_superuser"])
    yield make_user("grace", **dict.fromkeys(rights, True))
    LogEntry.objects.all().delete()


@pytest.fixture(params=[ALONE, BESIDE], ids=["alone", "beside the default site"])
def office(request, settings, grace, laptop):
    settings.ROOT_URLCONF = request.param
    laptop.sign_in("grace")
    return laptop


def links(page):
    assert page.status_code == 200
    return re.findall(r'(?:href|action)="(/[^"]*)"', unescape(page.content.decode()))


def test_every_page_of_the_site_leads_to_pages_of_the_site(ada, office, phone):
    phone.sign_in("ada")
    row = phone.row.pk
    user = get_user_model()._meta
    person = f"/back-office/{user.app_label}/{user.model_name}/{ada.pk}/change/"
    account = f"{SESSIONS}account/{ada.pk}/"
    pages = [SESSIONS, f"{SESSIONS}{row}/change/", person, account]
    for address in pages:
        found = [each for each in links(office.get(address)) if "session" in each]
        assert found
        assert all(each.startswith(("/back-office/", "/static/")) for each in found)
    assert any(each.startswith(account) for each in links(office.get(person)))


def test_ending_a_session_returns_to_the_site(ada, office, phone):
    phone.sign_in("ada")
    data = {"action": "end_sessions", "_selected_action": [str(phone.row.pk)]}
    page = office.post(SESSIONS, data)
    assert page.status_code == 200
    answer = office.post(SESSIONS, {**data, "confirmed": "yes"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/back-office/")
    assert phone.state == UserSession.Reason.REVOKED


def test_who_is_kept_out_of_the_site_is_told_why(office, browser):
    other = browser()
    other.sign_in("grace")
    page = office.get(SESSIONS)
    assert page.status_code == 401
    assert f'href="/back-office/login/?next={SESSIONS}"' in unescape(
        page.content.decode()
    )
    assert other.get(SESSIONS, headers=JSON).status_code == 200


def test_the_site_may_be_included_elsewhere(settings, grace, laptop):
    settings.ROOT_URLCONF = (path("intern/", include([path("x/", site.urls)])), *OTHERS)
    laptop.sign_in("grace")
    page = laptop.get("/intern/x/session_limit/usersession/")
    found = [each for each in links(page) if "usersession" in each]
    assert found
    assert all(each.startswith("/intern/x/") for each in found)
