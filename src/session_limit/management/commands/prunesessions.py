"""The command that ends expired sessions and deletes old ended sessions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from session_limit import registry


class Command(BaseCommand):
    help = (
        "End the sessions that have expired, and delete the tombstones older than "
        "SESSION_LIMIT_RETENTION. Run this daily, as well as clearsessions."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count, and write nothing."
        )

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        ended, deleted = registry.prune(dry_run=dry_run)
        if verbosity > 0:
            would = "would be " if dry_run else ""
            self.stdout.write(
                f"Sessions {would}ended: {ended}. Tombstones {would}deleted: {deleted}."
            )
