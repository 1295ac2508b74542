"""Test that the package finds its own addresses under any language and prefix."""

import asyncio
import threading

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.test import override_settings
from django.urls import include, path, re_path, set_urlconf
from django.utils import translation
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from session_limit import url_matching
from session_limit.asgi.scopes import find_below as find_in_scope
from session_limit.urls import urlpatterns as ours

LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]
OURS = include("session_limit.urls")
SUFFIXES = {"gateway/": "", "gateway/films/1.m3u8": "films/1.m3u8", "gateway": None}


class URLs:
    """A URLconf of these patterns. Django accepts any object with ``urlpatterns``."""

    def __init__(self, *patterns):
        self.urlpatterns = patterns


@pytest.fixture(autouse=True)
def languages(settings):
    settings.LANGUAGES = LANGUAGES
    settings.LANGUAGE_CODE = "en"


def project(settings, *patterns):
    settings.ROOT_URLCONF = URLs(path("who/", lambda request: None), *patterns)


def assert_found_at(address):
    for suffix, below in SUFFIXES.items():
        assert (
            url_matching.find_below(f"{address}{suffix}", url_matching.GATEWAY) == below
        )
    assert url_matching.find_below(f"{address}events/", url_matching.EVENTS) == ""
    assert url_matching.find_below(f"{address}events/", url_matching.GATEWAY) is None


@pytest.mark.parametrize("prefix_default_language", [True, False])
@pytest.mark.parametrize("active", ["en", "de", "fr", "xx", None])
def test_the_language_left_over_from_an_earlier_request(
    settings, prefix_default_language, active
):
    project(
        settings,
        *i18n_patterns(
            path("account/", OURS), prefix_default_language=prefix_default_language
        ),
    )
    addresses = {"/en/account/", "/de/account/", "/fr/account/"}
    if not prefix_default_language:
        addresses = addresses - {"/en/account/"} | {"/account/"}
    with translation.override(active):
        before = translation.get_language()
        for address in addresses:
            assert_found_at(address)
        for address in {"/xx/account/", "/account/", "/en/account/"} - addresses:
            assert (
                url_matching.find_below(f"{address}gateway/", url_matching.GATEWAY)
                is None
            )
        assert translation.get_language() == before


def test_addresses_that_anybody_asks_for_are_not_remembered(settings):
    project(settings, *i18n_patterns(path("a/", OURS), prefix_default_language=False))
    url_matching._ways.cache_clear()
    for number in range(1_000):
        for language in ("", "/de", "/fr"):
            address = f"{language}/x{number}/gateway/"
            assert url_matching.find_below(address, url_matching.GATEWAY) is None
    assert url_matching._ways.cache_info().currsize == 1
    assert_found_at("/a/")


def test_a_translated_address_without_a_prefix(settings):
    # A message of this package, because all of the languages have a translation of it.
    project(settings, path(gettext_lazy("Sign in"), include([path("/", OURS)])))
    with translation.override("de"):
        german = translation.gettext("Sign in")
    assert german != "Sign in"
    for active in ("en", "de", "fr"):
        with translation.override(active):
            assert_found_at("/Sign in/")
            assert_found_at(f"/{german}/")


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        (path("größe/", OURS), "/größe/"),
        (path("a b%/", OURS), "/a b%/"),
        (path("gateway/", OURS), "/gateway/"),
        (path("gateway/events/", OURS), "/gateway/events/"),
        (path("<slug:tenant>/account/", OURS), "/acme/account/"),
        (re_path(r"^(?:my|our)/", OURS), "/our/"),
        (path("", OURS), "/"),
        (path("mine/", include("session_limit.urls", namespace="mine")), "/mine/"),
    ],
)
def test_any_prefix(settings, pattern, address):
    project(settings, pattern)
    assert_found_at(address)
    scope = {"path": f"/app{address}gateway/x", "root_path": "/app"}
    assert find_in_scope(scope, url_matching.GATEWAY) == "x"
    settings.FORCE_SCRIPT_NAME = "/app"
    assert find_in_scope(scope | {"root_path": ""}, url_matching.GATEWAY) == "x"


def test_included_twice(settings):
    project(settings, path("one/", OURS), path("two/", OURS))
    assert_found_at("/one/")
    assert_found_at("/two/")


def test_of_a_project_that_leaves_the_view_out(settings):
    kept = [each for each in ours if each.name != "gateway"]
    project(settings, path("account/", include((kept, "session_limit"))))
    assert url_matching.find_below("/account/gateway/", url_matching.GATEWAY) is None
    assert url_matching.find_below("/account/events/", url_matching.EVENTS) == ""


def test_another_apps_view_of_the_same_name(settings):
    other = [path("gateway/", lambda request: None, name="gateway")]
    project(settings, path("pay/", include((other, "payments"))))
    assert url_matching.find_below("/pay/gateway/", url_matching.GATEWAY) is None


def test_the_root_urlconf_of_now(settings):
    project(settings, path("a/", OURS))
    assert_found_at("/a/")
    with override_settings(ROOT_URLCONF=URLs(path("b/", OURS))):
        assert_found_at("/b/")
        assert url_matching.find_below("/a/gateway/", url_matching.GATEWAY) is None
    set_urlconf(URLs())
    try:
        assert_found_at("/a/")
    finally:
        set_urlconf(None)


def test_threads_of_other_languages(settings):
    project(settings, *i18n_patterns(path("a/", OURS), prefix_default_language=False))
    failed = []

    def ask(language):
        translation.activate(language)
        failed.extend(
            (language, address)
            for _ in range(200)
            for address in ("/a/", "/de/a/")
            if url_matching.find_below(f"{address}gateway/", url_matching.GATEWAY) != ""
        )

    threads = [threading.Thread(target=ask, args=[code]) for code, _ in LANGUAGES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_tasks_of_other_languages(settings):
    project(settings, *i18n_patterns(path("a/", OURS), prefix_default_language=False))

    async def ask(language):
        translation.activate(language)
        await asyncio.sleep(0)
        return url_matching.find_below("/a/gateway/", url_matching.GATEWAY)

    async def both():
        return await asyncio.gather(*(ask(code) for code, _ in LANGUAGES))

    assert asyncio.run(both()) == ["", "", ""]


@settings(deadline=None)
@given(st.text())
def test_no_path_raises(text):
    for address in (text, f"/{text}/gateway/{text}", f"{text}/events/"):
        for name in (url_matching.GATEWAY, url_matching.EVENTS):
            url_matching.find_below(address, name)
