"""Where Redis is: read by the project and by those who describe the machine."""

from __future__ import annotations

import os

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/5")
