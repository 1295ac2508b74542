"""The same project without any package: what every figure is a ratio to."""

from __future__ import annotations

from benchmarks.contenders.base import Contender

CONTENDER = Contender(
    name="plain",
    requirement="",
    documentation="https://docs.djangoproject.com/en/5.2/topics/http/sessions/",
    environment="plain",
    limits=False,
)
