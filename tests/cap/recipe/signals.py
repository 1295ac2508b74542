from __future__ import annotations

from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.dispatch import receiver

from tests.cap.recipe.models import LoggedInUser


@receiver(user_logged_in)
def on_user_logged_in(**kwargs: Any) -> None:
    LoggedInUser.objects.get_or_create(user=kwargs["user"])


@receiver(user_logged_out)
def on_user_logged_out(**kwargs: Any) -> None:
    LoggedInUser.objects.filter(user=kwargs["user"]).delete()
