"""django-single-session: a receiver that deletes the account's stored sessions."""

from __future__ import annotations

from benchmarks.contenders.base import Contender, Settings


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"].append("single_session")


CONTENDER = Contender(
    name="single-session",
    requirement="django-single-session",
    documentation="https://django-single-session.readthedocs.io/en/stable/",
    environment="single-session",
    # It refuses to start with another.
    engines=("db",),
    configure=configure,
)
