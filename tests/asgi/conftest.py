import pytest

from session_limit.asgi import hub
from session_limit.testing import LAPTOP, PHONE, clock
from tests.asgi.tellers import sweep_alone, swept, told_by  # noqa: F401 fixtures
from tests.committing import commit_all
from tests.stories.people import Visitor, make_user


def pytest_collection_modifyitems(items):
    commit_all(items, __file__)


@pytest.fixture(autouse=True)
def project(settings):
    settings.ROOT_URLCONF = "tests.asgi.urls"


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def bob():
    return make_user("bob")


@pytest.fixture
def laptop():
    return Visitor(LAPTOP)


@pytest.fixture
def phone():
    return Visitor(PHONE)


@pytest.fixture
def time():
    with clock() as moved:
        yield moved


@pytest.fixture
def nobody_tells(monkeypatch):
    """
    Let neither the bus nor the sweep tell the hub about endings. A connection then
    learns of one only when the hub verifies its session.
    """
    sweep_alone(monkeypatch)
    monkeypatch.setattr(hub, "SWEEP", 3600.0)
