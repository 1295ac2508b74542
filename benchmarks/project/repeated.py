"""
Gets the member's page so many times, in a process of its own, for a tool that counts
what a whole process does: the difference between two numbers of requests is theirs.
"""

from __future__ import annotations

import sys

import django

from benchmarks.project.worker import Worker


def main() -> None:
    page, requests = sys.argv[1], int(sys.argv[2])
    django.setup()
    worker = Worker()
    worker.migrate()
    [id] = worker.create_users(1)
    worker.become(id)
    worker.run(page, requests)


if __name__ == "__main__":
    main()
