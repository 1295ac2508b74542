"""Projects whose template engines do not find the package's templates."""

from __future__ import annotations

import pytest
from django.core import mail
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.backends.base import BaseEngine
from django.urls import reverse

from session_limit.models import UserSession
from session_limit.pages import rendering
from tests.stories.people import PASSWORD, SIGNED_IN

DJANGO = "django.template.backends.django.DjangoTemplates"


class OwnTemplates(BaseEngine):
    """An engine like Jinja2's: it has another syntax, and folders of its own."""

    app_dirname = "own"

    def __init__(self, params):
        params = {**params}
        self.known = params.pop("OPTIONS").get("known", ())
        super().__init__(params)

    def get_template(self, template_name):
        if template_name in self.known:
            raise TemplateSyntaxError("Encountered unknown tag 'load'.")
        raise TemplateDoesNotExist(template_name, backend=self)


OWN = {"BACKEND": f"{__name__}.OwnTemplates", "DIRS": [], "APP_DIRS": True}
ENGINES = {
    "none": [],
    "another": [OWN],
    "not in apps": [{"BACKEND": DJANGO, "DIRS": ["own"], "APP_DIRS": False}],
    "loaders": [
        {
            "BACKEND": DJANGO,
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {})]},
        }
    ],
    "two": [OWN, {"BACKEND": DJANGO, "DIRS": [], "APP_DIRS": False}],
    "a copy in another syntax": [
        {**OWN, "OPTIONS": {"known": ["session_limit/ended.html"]}}
    ],
}


@pytest.fixture(params=ENGINES)
def engine(request, settings):
    settings.TEMPLATES = ENGINES[request.param]
    return request.param


def sign_in(visitor):
    return visitor.post("/alogin/", {"username": "ada", "password": PASSWORD})


def is_plain(response):
    return (
        response.content.startswith(b"<!doctype html>")
        and b'class="session-limit ' in response.content
        and b"</html>" in response.content
    )


def test_an_ended_session(ada, laptop, phone, engine):
    sign_in(laptop)
    sign_in(phone)
    response = laptop.open()
    assert response.status_code == 401
    assert is_plain(response)
    assert b"Your account was signed in on a phone." in response.content
    assert b"Use here instead" in response.content


def test_a_refused_sign_in(ada, laptop, phone, engine, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    sign_in(laptop)
    response = sign_in(phone)
    assert response.status_code == 403
    assert is_plain(response)
    assert b"Firefox on Windows" in response.content


def test_the_chooser(ada, laptop, phone, engine, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    sign_in(laptop)
    assert sign_in(phone).status_code == 303
    question = phone.get(reverse("session_limit:choose"))
    assert question.status_code == 200
    assert is_plain(question)
    context = question.context_data
    choice = {"choice": context["choice"], "end": context["selected"]}
    assert phone.post(reverse("session_limit:choose"), choice).status_code == 302
    assert phone.state == SIGNED_IN
    gone = laptop.get(reverse("session_limit:choose"))
    assert gone.status_code == 410
    assert is_plain(gone)


def test_your_sessions(ada, laptop, phone, engine, settings):
    """The pages contain a form with a CSRF token."""
    settings.SESSION_LIMIT = 2
    sign_in(laptop)
    sign_in(phone)
    response = laptop.get(reverse("session_limit:list"))
    assert response.status_code == 200
    assert is_plain(response)
    assert b"csrfmiddlewaretoken" in response.content
    assert "csrftoken" in response.cookies
    ended = reverse("session_limit:end", args=[phone.row.pk])
    assert is_plain(laptop.get(ended))
    UserSession.objects.update(authenticated_at="2020-01-01T00:00Z")
    password = laptop.get(reverse("session_limit:end_others"))
    assert is_plain(password)
    assert b'type="password"' in password.content


def test_a_person_who_acts_for_somebody_else(ada, laptop, engine, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "tests.stories.test_acting_for_others.ByToken",
    ]
    response = laptop.get(reverse("session_limit:list"), headers={"X-Token": "1"})
    assert response.status_code == 403
    assert is_plain(response)


def test_the_message_and_the_mail_about_a_new_sign_in(
    ada, laptop, phone, engine, settings
):
    settings.SESSION_LIMIT = 2
    settings.SESSION_LIMIT_NEW_SIGN_IN = "mail"
    ada.email = "ada@example.org"
    ada.save()
    sign_in(laptop)
    sign_in(phone)
    assert len(mail.outbox) == 1
    assert mail.outbox[0].subject
    assert laptop.open().status_code == 200
    [shown] = laptop.get("/messages/").json()
    assert "New sign-in:" in shown
    assert "<a href=" in shown


@pytest.mark.parametrize("served", ["sync"])
def test_a_check_can_ask_whether_the_templates_are_found(served, settings):
    assert rendering.finds_templates()
    for name in ENGINES.keys() - {"a copy in another syntax"}:
        settings.TEMPLATES = ENGINES[name]
        assert not rendering.finds_templates(), name


@pytest.mark.parametrize("served", ["sync"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_project_without_templates_is_no_mistake_to_raise(
    ada, laptop, phone, settings, debug
):
    """An API in development shows the page, too."""
    sign_in(laptop)
    sign_in(phone)
    settings.TEMPLATES, settings.DEBUG = [], debug
    assert laptop.open().status_code == 401
