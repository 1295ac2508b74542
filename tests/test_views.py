"""Test what Django's middleware reads from the views."""

from __future__ import annotations

from session_limit.urls import urlpatterns

VIEWS = {each.name: each.callback for each in urlpatterns}


def test_no_view_is_behind_the_login_required_middleware():
    """A redirect to the sign-in page would be no answer to a client that wants JSON."""
    assert {view.login_required for view in VIEWS.values()} == {False}


def test_the_views_that_are_exempt_from_csrf_protection():
    """They check a code of their own, or take no POST that changes anything."""
    exempt = {name for name, view in VIEWS.items() if hasattr(view, "csrf_exempt")}
    assert exempt == {"choose", "ended", "events", "gateway", "status"}
