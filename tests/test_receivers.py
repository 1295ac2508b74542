"""Edge cases of the signals of Django's user model."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import AllowAllUsersModelBackend

from session_limit.models import AccountLimit, UserSession
from session_limit.receivers import user_deleted, user_saved
from session_limit.testing import Browser

pytestmark = pytest.mark.django_db


class PermissionsBackend:
    """
    Grant permissions, but sign nobody in: Django never loads a user from this backend.
    """

    def authenticate(self, request, **credentials):
        return None


@pytest.fixture
def ada():
    return get_user_model().objects.create_user("ada", password="pw")


@pytest.fixture
def signed_in(ada):
    Browser().force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    return UserSession.objects.get()


def disable(user):
    user.is_active = False
    user.save()


def is_live(session):
    session.refresh_from_db()
    return session.is_live


def test_a_backend_that_only_grants_permissions(ada, signed_in, settings):
    settings.AUTHENTICATION_BACKENDS = [
        f"{__name__}.PermissionsBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    disable(ada)
    assert not is_live(signed_in)


def test_a_backend_that_lets_inactive_users_in(ada, signed_in, settings):
    backend = AllowAllUsersModelBackend
    settings.AUTHENTICATION_BACKENDS = [f"{backend.__module__}.{backend.__name__}"]
    disable(ada)
    assert is_live(signed_in)


def test_a_copy_in_another_database_is_nobody_here(ada, signed_in):
    AccountLimit.objects.all().delete()
    ada.set_password("new")
    ada.is_active = False
    user_saved(get_user_model(), ada, created=False, using="other")
    user_deleted(get_user_model(), ada, using="other")
    assert is_live(signed_in)
    assert not AccountLimit.objects.exists()
