from pathlib import Path

import pytest

from session_limit.testing import LAPTOP, PHONE, clock
from tests.stories import views
from tests.stories.people import TABLET, Visitor, make_user


def pytest_collection_modifyitems(items):
    """Requests commit, as they do in real life."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(autouse=True)
def project(settings):
    """The project of the stories."""
    settings.ROOT_URLCONF = "tests.stories.urls"
    settings.LOGOUT_REDIRECT_URL = "/public/"
    yield
    views.meanwhile.clear()
    views.seen.clear()


@pytest.fixture(params=["sync", "async"])
def served(request):
    """How the project is served."""
    return request.param


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def bob():
    return make_user("bob")


@pytest.fixture
def browser(served):
    """Return a function that opens a browser."""

    def browser(user_agent=LAPTOP, headers=None):
        return Visitor(user_agent, is_async=served == "async", headers=headers)

    return browser


@pytest.fixture
def laptop(browser):
    return browser(LAPTOP)


@pytest.fixture
def phone(browser):
    return browser(PHONE)


@pytest.fixture
def tablet(browser):
    return browser(TABLET)


@pytest.fixture
def time():
    with clock() as moved:
        yield moved
