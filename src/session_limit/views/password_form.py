"""The form in which signed-in users confirm their password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from session_limit.store.users import username_of

# The maximum number of characters, because hashing a long password takes time.
MAX_PASSWORD = 4096


class PasswordForm(forms.Form):
    """
    A form in which users who are already signed in confirm their password.

    After validation, ``user`` is the object that ``authenticate()`` returned. The
    password hash of ``user`` may be new, because ``authenticate()`` upgrades old
    hashes.
    """

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(
        self, request: HttpRequest, user: AbstractBaseUser, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.user = user

    @sensitive_variables()
    def clean_password(self) -> str:
        """Return the password, or raise ``ValidationError`` if it is incorrect."""
        password: str = self.cleaned_data["password"]
        # With authenticate(), packages that count failed sign-ins count these as well.
        found = authenticate(
            self.request, username=username_of(self.user), password=password
        )
        if found is None or found.pk != self.user.pk:
            raise ValidationError(
                _("That is not the password of this account."), code="wrong_password"
            )
        self.user = found
        return password
