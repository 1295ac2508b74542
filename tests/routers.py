"""Where models are read and written: projects with more than one database."""

from __future__ import annotations


class SessionsElsewhere:
    """Sessions have a database of their own, without a transaction in common."""

    def db_for_read(self, model, **hints):
        return "elsewhere" if model._meta.label == "sessions.Session" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return app_label == "sessions" if db == "elsewhere" else None


class ReadsFromReplica:
    """Everything is read from a copy, as Django's documentation shows it."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, one, other, **hints):
        return True
