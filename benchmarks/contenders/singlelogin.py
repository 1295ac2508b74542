"""django-singlelogin: a middleware that deletes the earlier stored session."""

from __future__ import annotations

from benchmarks.contenders.base import DJANGO_AUTH, Contender, Settings, below


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"].append("singlelogin")
    below(
        settings["MIDDLEWARE"],
        DJANGO_AUTH,
        "singlelogin.middleware.OneSessionPerUserMiddleware",
    )


CONTENDER = Contender(
    name="singlelogin",
    requirement="django-singlelogin",
    documentation="https://pypi.org/project/django-singlelogin/",
    environment="singlelogin",
    configure=configure,
)
