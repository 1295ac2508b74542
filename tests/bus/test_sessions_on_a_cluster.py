"""Test sessions in a Redis Cluster at a failover, with docs/how-to/redis.md's cache."""

import re
import sys
import types
from pathlib import Path

import pytest

from session_limit.testing import LAPTOP
from tests import stores
from tests.bus import brokers
from tests.stories.people import JSON, Visitor, make_user

pytestmark = [
    pytest.mark.services("sentinel"),
    pytest.mark.django_db(transaction=True),
    stores.CHOSEN,
]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "redis.md"


@pytest.fixture
def caches(monkeypatch):
    """Load the module that the page tells a project to write."""
    code = re.search(
        r"```python\n(# mysite/caches.py.*?)```", PAGE.read_text(), re.DOTALL
    )[1]
    module = types.ModuleType("mysite_caches")
    exec(code, module.__dict__)  # noqa: S102
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    if module.ClusterClient.cluster is not None:
        module.ClusterClient.cluster.close()


def is_signed_in(cookie):
    """Return whether a request with this cookie succeeds as a signed-in one."""
    visitor = Visitor(LAPTOP)
    visitor.client.raise_request_exception = False
    visitor.cookie = cookie
    return visitor.open(**JSON).status_code == 200


def sign_in(name):
    """Sign in with a new browser, and return its cookie."""
    visitor = Visitor(LAPTOP)
    assert visitor.sign_in(name).status_code == 302
    return visitor.cookie


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_a_failover_brings_no_displaced_session_back(
    engine, tmp_path, caches, settings
):
    users = [make_user(f"user{number}") for number in range(30)]
    names = [user.get_username() for user in users]
    with brokers.cluster(tmp_path, replicated=True) as nodes:
        cache = {
            "BACKEND": f"{caches.__name__}.ClusterCache",
            "LOCATION": [f"127.0.0.1:{node.port}" for node in nodes],
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
        settings.ROOT_URLCONF = "tests.stories.urls"
        settings.CACHES = {"default": cache}
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        displaced = [sign_in(name) for name in names]
        # Cut the links of the replicas, which then miss deletions and new sessions.
        for master in nodes[:3]:
            master.ask("ACL", "SETUSER", "default", "-psync", "-sync")
            master.ask("CLIENT", "KILL", "TYPE", "replica")
        live = [sign_in(name) for name in names]
        assert not any(map(is_signed_in, displaced))
        assert all(map(is_signed_in, live))

        def is_promoted():
            """Check that nobody is back, and return whether the replica is a master."""
            assert not any(map(is_signed_in, displaced))
            return "master" in str(nodes[3].ask("ROLE"))

        nodes[0].kill()
        brokers.until(is_promoted)
        assert not any(map(is_signed_in, displaced))
        if engine == "cached_db":
            brokers.until(lambda: all(map(is_signed_in, live)))
        else:
            # About a third of the sessions were stored on the node that was killed.
            assert 0 < sum(map(is_signed_in, live)) < len(live)
        # Users without a stored session can sign in again.
        assert all(is_signed_in(sign_in(name)) for name in names)
