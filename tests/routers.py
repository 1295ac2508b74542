"""Where models are read and written: projects with more than one database."""

from __future__ import annotations


def is_session(model):
    return model._meta.label in {"sessions.Session", "qsessions.Session"}


class SessionsElsewhere:
    """Sessions have a database of their own, without a transaction in common."""

    def db_for_read(self, model, **hints):
        return "elsewhere" if is_session(model) else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        if db == "elsewhere":
            return app_label == "sessions"
        return None
