"""Run the demo: ``python -m example``."""

from __future__ import annotations

import sys

from example.demo import main

sys.exit(main())
