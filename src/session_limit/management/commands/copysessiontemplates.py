"""The command that copies the package's templates into a project for customizing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

FOLDER = "session_limit"


class Command(BaseCommand):
    help = (
        "Copy the templates of session_limit into a directory of your project: one of "
        'TEMPLATES["DIRS"], or the templates directory of an app above session_limit '
        "in INSTALLED_APPS. Existing files stay unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "directory", type=Path, help=f"Where to create the directory {FOLDER}."
        )
        parser.add_argument(
            "names", nargs="*", help='Templates such as "ended.html" (default: all).'
        )
        parser.add_argument(
            "--force", action="store_true", help="Overwrite existing files."
        )

    def handle(self, *, directory: Path, names: list[str], **options: Any) -> None:
        source = Path(apps.get_app_config("session_limit").path, "templates", FOLDER)
        files = [path for path in source.rglob("*") if path.is_file()]
        known = sorted(path.relative_to(source).as_posix() for path in files)
        if unknown := sorted(set(names).difference(known)):
            raise CommandError(
                f"No such template: {', '.join(unknown)}. "
                f"There are: {', '.join(known)}."
            )
        for name in names or known:
            target = directory / FOLDER / name
            done = f"Copied {target}"
            if target.exists() and not options["force"]:
                done = f"Kept {target}, which exists. Use --force to overwrite it"
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((source / name).read_bytes())
            if options["verbosity"] > 0:
                self.stdout.write(done)
