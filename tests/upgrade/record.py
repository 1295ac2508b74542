"""
Play the beginning of a story with an older version of the package, and print the rows
and the cookies that it leaves as JSON. ``test_upgrade.py`` goes on from there.

    git worktree add /tmp/old c6e0f44 && cd /tmp/old
    PYTHONPATH=src:. python REPOSITORY/tests/upgrade/record.py > c6e0f44.json

Runs with the settings and the views of the version's own tests.
"""

from __future__ import annotations

import json
import os
import re
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.conf import settings  # noqa: E402  after the apps are loaded
from django.contrib.auth import get_user_model  # noqa: E402
from django.core import serializers  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import override_settings, setup_databases  # noqa: E402
from django.utils import timezone  # noqa: E402

LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36"
)


def sign_in(name: str, user_agent: str) -> Client:
    client = Client(headers={"User-Agent": user_agent, "Sec-Fetch-Mode": "navigate"})
    client.post("/login/", {"username": name, "password": "correct horse"})
    return client


def main() -> None:
    setup_databases(verbosity=0, interactive=False)
    for name in ("ada", "bob"):
        get_user_model().objects.create_user(name, password="correct horse")
    browsers = {
        # Ada's phone displaces her laptop.
        "displaced": sign_in("ada", LAPTOP),
        "live": sign_in("ada", PHONE),
        "bobs": sign_in("bob", LAPTOP),
    }
    # Bob's phone is asked, and has not answered yet.
    with override_settings(SESSION_LIMIT_AT_LIMIT="ask"):
        browsers["pending"] = sign_in("bob", PHONE)
        chooser = browsers["pending"].get("/account/sessions/choose/")
        (code,) = re.findall(r'name="choice" value="(\w+)"', chooser.content.decode())
    # In an order that satisfies foreign keys.
    labels = ["auth.User", "sessions.Session", "session_limit.AccountLimit"]
    labels += ["session_limit.UserSession", "session_limit.PendingSignIn"]
    models = [django.apps.apps.get_model(label) for label in labels]
    rows = [row for model in models for row in model._base_manager.all()]
    recording = {
        "recorded_at": timezone.now().isoformat(),
        "rows": json.loads(serializers.serialize("json", rows)),
        "browsers": {
            name: {
                "user_agent": client.defaults["HTTP_USER_AGENT"],
                "cookies": {
                    key: morsel.value
                    for key, morsel in client.cookies.items()
                    # The cookie of a known browser is signed for a year.
                    if key in {"sessionid", "session_limit_pending"}
                },
            }
            for name, client in browsers.items()
        },
        "code": code,
    }
    json.dump(recording, sys.stdout, indent=1)
    print()
    call_command("flush", interactive=False, verbosity=0)
    settings.DATABASES["default"]["NAME"].unlink()


if __name__ == "__main__":
    main()
