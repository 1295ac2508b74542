import pytest

from session_limit.testing import LAPTOP, PHONE
from tests.stories.people import Visitor, make_user

# pytest rewrites assertions only in files of tests, and this is another module.
pytest.register_assert_rewrite("tests.libraries.cells")


@pytest.fixture
def ada(db):
    return make_user("ada", email="ada@example.com")


@pytest.fixture
def served():
    """Serve the project synchronously. Modules that test both override this fixture."""
    return "sync"


@pytest.fixture
def browser(served):
    """Return a function that opens a browser."""

    def browser(user_agent=LAPTOP):
        return Visitor(user_agent, is_async=served == "async")

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
