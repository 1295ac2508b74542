"""django-preventconcurrentlogins: a middleware that deletes the earlier session."""

from __future__ import annotations

from benchmarks.contenders.base import DJANGO_AUTH, Contender, Settings, below


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"].append("preventconcurrentlogins")
    below(
        settings["MIDDLEWARE"],
        DJANGO_AUTH,
        "preventconcurrentlogins.middleware.PreventConcurrentLoginsMiddleware",
    )


CONTENDER = Contender(
    name="preventconcurrentlogins",
    requirement="django-preventconcurrentlogins",
    documentation="https://pypi.org/project/django-preventconcurrentlogins/",
    environment="preventconcurrentlogins",
    configure=configure,
)
