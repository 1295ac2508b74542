"""People read every page in the language that their browser asks for."""

from __future__ import annotations

import re
from html import unescape

import pytest

from session_limit.testing import LAPTOP, PHONE
from tests.stories.people import live

HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(autouse=True)
def languages(settings):
    locale = "django.middleware.locale.LocaleMiddleware"
    ours = settings.MIDDLEWARE.index("session_limit.middleware.SessionLimitMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[: ours + 1],
        locale,
        *settings.MIDDLEWARE[ours + 1 :],
    ]


@pytest.fixture
def reader(browser):
    """Return a function that opens a browser in a language."""

    def reader(language, user_agent=LAPTOP):
        return browser(user_agent, headers={"Accept-Language": language})

    return reader


def text(response):
    content = re.sub(r"<style.*?</style>|<[^>]*>", " ", response.content.decode())
    return " ".join(unescape(content).split())


def is_in(response, language, direction):
    opening = f'<html lang="{language}" dir="{direction}">'
    return opening in response.content.decode()


ENDED = {
    "de": "Ihr Konto wurde auf einem Smartphone angemeldet. "
    "Dieses Konto kann auf höchstens 1 Gerät gleichzeitig verwendet werden.",
    "ar": "تم تسجيل الدخول إلى حسابك على هاتف. "
    "يمكن استخدام هذا الحساب على جهاز واحد في الوقت نفسه.",
    # Japanese needs no space between sentences.
    "ja": "お使いのアカウントがスマートフォンでログインされました。"
    "このアカウントを同時に使えるのは 1 台までです。",
}


@pytest.mark.parametrize("language", ENDED)
def test_why_a_session_has_ended(ada, reader, phone, language):
    laptop = reader(language)
    laptop.sign_in()
    phone.sign_in()
    page = laptop.open()
    assert page.status_code == 401
    assert is_in(page, language, "rtl" if language == "ar" else "ltr")
    assert ENDED[language] in text(page)


CHOOSER = {
    "de": ("Wählen Sie ein Gerät, das abgemeldet wird", "Firefox auf Windows"),
    "ar": ("اختيار جهاز لتسجيل الخروج منه", "\u200fFirefox على Windows"),
}


@pytest.mark.parametrize("language", CHOOSER)
def test_the_chooser(ada, reader, laptop, settings, language):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop.sign_in()
    phone = reader(language, PHONE)
    asked = phone.sign_in(headers=HTML)
    page = phone.get(asked["Location"], headers=HTML)
    assert is_in(page, language, "rtl" if language == "ar" else "ltr")
    for said in CHOOSER[language]:
        assert said in text(page)


YOUR_SESSIONS = {
    "de": ("Wo Sie angemeldet sind", "Angemeldet auf 2 von 3 Geräten"),
    "fr": ("Où votre compte est connecté", "Appareils connectés : 2 sur 3"),
    "es": ("Dónde está abierta su cuenta", "Sesión abierta en 2 de 3 dispositivos"),
    "pt-br": ("Onde sua conta está aberta", "Sessão aberta em 2 de 3 dispositivos"),
    "ja": ("ログイン中のデバイス", "3 台中 2 台でログイン中"),
    "ar": ("أماكن تسجيل الدخول", "الأجهزة المستخدمة: 2 من 3"),
}


@pytest.mark.parametrize("language", YOUR_SESSIONS)
def test_your_sessions(ada, reader, phone, settings, language):
    settings.SESSION_LIMIT = 3
    phone.sign_in()
    laptop = reader(language)
    laptop.sign_in()
    page = laptop.get("/account/sessions/")
    assert is_in(page, language, "rtl" if language == "ar" else "ltr")
    for said in YOUR_SESSIONS[language]:
        assert said in text(page)


def test_your_sessions_in_json_name_devices_in_the_language(ada, reader):
    laptop = reader("de")
    laptop.sign_in()
    accept = {"Accept": "application/json"}
    (said,) = laptop.get("/account/sessions/", headers=accept).json()["sessions"]
    assert said["device"] == "Firefox auf Windows"
    # The row keeps the name in English.
    (row,) = live()
    assert row.device == "Firefox on Windows"


def test_a_device_without_a_name_has_none_in_json(ada, reader):
    unknown = reader("de", "")
    unknown.sign_in()
    accept = {"Accept": "application/json"}
    (said,) = unknown.get("/account/sessions/", headers=accept).json()["sessions"]
    assert said["device"] == ""
