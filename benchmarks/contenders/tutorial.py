"""
The recipe of the tutorials: a table with one key per user, two receivers, and a
middleware that deletes the stored session that was there before. Written from its
description for the tests of the cap (``tests/cap/recipe``).
"""

from __future__ import annotations

from benchmarks.contenders.base import DJANGO_AUTH, Contender, Settings, below


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"].append("tests.cap.recipe.apps.RecipeConfig")
    below(
        settings["MIDDLEWARE"],
        DJANGO_AUTH,
        "tests.cap.recipe.middleware.OneSessionPerUserMiddleware",
    )


CONTENDER = Contender(
    name="tutorial",
    requirement="",
    documentation=(
        "https://dev.to/fleepgeek/"
        "prevent-multiple-sessions-for-a-user-in-your-django-application-13oo"
    ),
    environment="plain",
    note="written from its description; it knows the `db` engine's table alone",
    # Others have no row of its table, and it raises then.
    engines=("db", "cached_db"),
    configure=configure,
)
