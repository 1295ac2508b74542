from __future__ import annotations

import os

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class ProjectConfig(AppConfig):
    name = "tests.cap.project"
    label = "cap_project"

    def ready(self) -> None:
        if os.environ["CAP_LAST_LOGIN"] == "0":
            # Projects do this to avoid a write for every sign-in.
            assert user_logged_in.disconnect(dispatch_uid="update_last_login")
