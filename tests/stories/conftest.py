import pytest
from django.contrib.auth.middleware import RemoteUserMiddleware

from session_limit.testing import LAPTOP, PHONE, clock
from tests.committing import commit_all
from tests.settings import SERVED
from tests.stories import views
from tests.stories.people import TABLET, Visitor, make_user


def pytest_collection_modifyitems(items):
    commit_all(items, __file__)


@pytest.fixture(autouse=True)
def project(settings):
    """Configure the project that the stories use."""
    settings.ROOT_URLCONF = "tests.stories.urls"
    settings.LOGOUT_REDIRECT_URL = "/public/"
    yield
    views.meanwhile.clear()
    views.seen.clear()
    views.raised.clear()


@pytest.fixture(params=SERVED)
def served(request):
    """Run the test once with sync requests and once with async ones, or with one."""
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


class FromHeader(RemoteUserMiddleware):
    """Sign in the user that a header names, as if a proxy had set it."""

    @property
    def header(self):
        # Before Django had get_username(), the async path added the prefix HTTP_
        # itself.
        prefixes = self.is_async and not hasattr(RemoteUserMiddleware, "get_username")
        return "X_REMOTE_USER" if prefixes else "HTTP_X_REMOTE_USER"


@pytest.fixture
def remote(settings, browser):
    auth = "django.contrib.auth.middleware.AuthenticationMiddleware"
    middleware = list(settings.MIDDLEWARE)
    middleware.insert(middleware.index(auth) + 1, f"{__name__}.FromHeader")
    settings.MIDDLEWARE = middleware
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.RemoteUserBackend"
    ]

    def remote(name, user_agent):
        return browser(user_agent, headers={"X-Remote-User": name})

    return remote
