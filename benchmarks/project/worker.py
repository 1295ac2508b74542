"""
Call functions of ``benchmarks.project`` by name, in a process with Django set up.

Reads one JSON array per line, ``[function, arguments]``, and answers each with a line.
``benchmarks.servers.Worker`` sends the calls.
"""

from __future__ import annotations

import json
import os
import sys

import django
from django.utils.module_loading import import_string


def main() -> None:
    # Send other output to stderr, so that the caller does not read it as an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    django.setup()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            function = import_string(f"benchmarks.project.{name}")
            answer = {"result": function(**arguments)}
        except Exception as error:
            answer = {"error": repr(error)}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
