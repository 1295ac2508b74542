"""Admin sites of a project's own, on which the package's pages are not registered."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.test import override_settings
from django.urls import clear_url_caches, path

from session_limit.admin import UserSessionAdmin
from session_limit.checks.admin_site import check_admin_site
from session_limit.models import UserSession
from tests.mistakes.messages import said, the_message


class OfficeSite(AdminSite):
    site_header = "Office"


@pytest.fixture
def serve(settings, monkeypatch):
    def serve(*sites):
        module = ModuleType("urls_of_sites")
        module.urlpatterns = [path(f"{site.name}/", site.urls) for site in sites]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()

    yield serve
    clear_url_caches()


@pytest.mark.parametrize("name", ["admin", "office", "back-office"])
def test_a_site_without_the_pages(serve, name):
    site = OfficeSite(name=name)
    serve(site)
    text = the_message(check_admin_site, "W412")
    assert f'The admin site "{name}"' in text
    assert "site.register(UserSession, UserSessionAdmin)" in text
    # The two lines are enough.
    site.register(UserSession, UserSessionAdmin)
    assert said(check_admin_site) == {}


def test_a_site_beside_djangos_own(serve):
    serve(admin.site, OfficeSite(name="second"))
    assert said(check_admin_site) == {}


def test_a_site_that_no_url_serves(serve):
    site = OfficeSite(name="unserved")
    serve(admin.site)
    assert said(check_admin_site) == {}
    serve()
    assert said(check_admin_site) == {}
    del site


def test_a_project_without_the_admin(serve, monkeypatch):
    serve(OfficeSite(name="other"))
    installed = apps.is_installed
    monkeypatch.setattr(
        apps, "is_installed", lambda name: "admin" not in name and installed(name)
    )
    assert said(check_admin_site) == {}


@override_settings(ROOT_URLCONF="nowhere.urls")
def test_urls_that_cannot_be_imported():
    assert said(check_admin_site) == {}
