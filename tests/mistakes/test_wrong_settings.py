"""Settings that are wrong where no checks run."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from session_limit.models import UserSession
from session_limit.testing import LAPTOP
from tests.stories.people import Visitor, make_user


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_LIMIT", "3"),
        ("SESSION_LIMIT", 0),
        ("SESSION_LIMIT_AT_LIMIT", "kick"),
        ("SESSION_LIMIT_IDLE_TIMEOUT", "900"),
        ("SESSION_LIMIT_TRUSTED_PROXIES", "1"),
    ],
)
def test_a_sign_in_names_the_setting_that_is_wrong(name, value):
    make_user("ada")
    with (
        override_settings(**{name: value}),
        pytest.raises(ImproperlyConfigured, match=f"^{name} must be .* not {value!r}"),
    ):
        Visitor(LAPTOP).sign_in()
    assert not UserSession.objects.exists()
