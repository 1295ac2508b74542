"""
Prepare each Python process of a library's tests.

Python imports this module when it starts, because its directory is in PYTHONPATH.
"""

import os

if "COMPAT_OUTCOMES" in os.environ:
    import compat_unittest

    compat_unittest.record()
if "COMPAT_SETTINGS" in os.environ:
    import compat_project

    compat_project.change()
