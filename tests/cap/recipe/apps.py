from __future__ import annotations

from django.apps import AppConfig


class RecipeConfig(AppConfig):
    name = "tests.cap.recipe"
    label = "recipe"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.cap.recipe import signals  # noqa: F401
