"""Database routers of projects with more than one database."""

from __future__ import annotations


class SessionsElsewhere:
    """Keep sessions in a database of their own, which shares no transaction."""

    def db_for_read(self, model, **hints):
        return "elsewhere" if model._meta.label == "sessions.Session" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return app_label == "sessions" if db == "elsewhere" else None


class ReadsFromReplica:
    """Read everything from a replica, as in the example of Django's documentation."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, one, other, **hints):
        return True
