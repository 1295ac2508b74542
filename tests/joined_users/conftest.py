from inspect import iscoroutinefunction

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.db.models import UUIDField

from session_limit.testing import LAPTOP
from tests.committing import commit_all
from tests.joined_users import urls
from tests.stories.people import Visitor, make_user, statements


def pytest_collection_modifyitems(items):
    commit_all(items, __file__)


@pytest.fixture(autouse=True)
def project(settings):
    settings.ROOT_URLCONF = "tests.joined_users.urls"
    yield
    urls.view = None
    urls.returned.clear()


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def bob():
    return make_user("bob")


@pytest.fixture
def laptop(ada):
    """Return a browser in which ``ada`` has signed in."""
    laptop = Visitor(LAPTOP)
    assert laptop.sign_in().status_code == 302
    return laptop


class Visit:
    """A function that requests a page, with another function as the page's view."""

    def __init__(self, laptop):
        self.laptop = laptop
        self.response = None
        self.statements = []

    def __call__(self, view, **headers):
        """
        Return what ``view`` has returned. The request is async if the view is.

        ``response`` and ``statements`` are those of the last request.
        """
        is_async = iscoroutinefunction(view)
        visitor = self.laptop.twin(is_async=is_async)
        urls.view = view
        with statements() as self.statements:
            self.response = visitor.get(visitor.path("run"), headers=headers)
        self.laptop.cookie = visitor.cookie
        assert not any(each.execute_wrappers for each in connections.all())
        return urls.returned.pop()


@pytest.fixture
def visit(laptop):
    """Return a function that requests a page in the browser in which ada signed in."""
    return Visit(laptop)


def fresh(user):
    """Return the user as ``ModelBackend.get_user()`` reads it."""
    return get_user_model()._default_manager.get(pk=user.pk)


def is_comparable():
    """Return whether the database compares the keys of the user model's table."""
    key = get_user_model()._meta.pk
    return connection.vendor == "sqlite" or not (
        "char" in key.db_type(connection) and not isinstance(key, UUIDField)
    )
