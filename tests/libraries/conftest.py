import pytest

from session_limit.testing import LAPTOP, PHONE
from tests.stories.people import Visitor, make_user


@pytest.fixture
def ada(db):
    return make_user("ada", email="ada@example.com")


@pytest.fixture(params=["sync", "async"])
def browser(request):
    """Return a function that opens a browser, to the project as WSGI or ASGI has it."""

    def browser(user_agent=LAPTOP):
        return Visitor(user_agent, is_async=request.param == "async")

    return browser


@pytest.fixture
def laptop(browser):
    return browser(LAPTOP)


@pytest.fixture
def phone(browser):
    return browser(PHONE)


@pytest.fixture
def deny(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
