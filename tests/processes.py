"""Run the tests of a project in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib

from django.conf import settings

RUN = [
    sys.executable,
    *("-m", "pytest", "--quiet", "--color=no"),
    # Leave the record of failed tests to the outer run.
    *("-p", "no:cacheprovider"),
    *("-p", "no:hypothesispytest"),
]


def run_project(directory, project, *arguments):
    """
    Run tests in ``directory`` with the settings module ``project`` beside them.

    Return the finished process, with its output.
    """
    # Do not use the suite's own database, which is in use. PostgreSQL allows names of
    # 63 characters.
    name = f"{settings.DB_NAME[:40]}_{zlib.crc32(project.encode()):x}"
    return subprocess.run(
        [*RUN, "--ds", f"tests.{directory.name}.{project}", *arguments],
        cwd=directory.parent.parent,
        env=os.environ | {"SESSION_LIMIT_TEST_DB_NAME": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
