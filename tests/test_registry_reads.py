"""Reads of the registry come from the database that is written to, and no cache."""

from __future__ import annotations

import pytest

from session_limit.models import AccountLimit, PendingSignIn, Play, UserSession

MODELS = [AccountLimit, PendingSignIn, Play, UserSession]


@pytest.mark.parametrize("model", MODELS)
def test_a_router_sends_no_read_to_a_replica(model, settings):
    settings.DATABASE_ROUTERS = ["tests.routers.ReadsFromReplica"]
    assert model.objects.all().db == "default"
    assert (
        model.objects.filter(pk=None).values_list("pk").order_by("pk").db == "default"
    )


@pytest.mark.parametrize("model", MODELS)
def test_no_read_is_one_that_packages_cache(model):
    """
    A package that caches queries must not show an ended session as live.

    django-cacheops caches no queryset that Django has marked as one for a write.
    """
    rows = model.objects.using("default")
    for each in (rows, rows.filter(pk=None), rows.exclude(pk=None).values_list("pk")):
        assert each._for_write
