"""
Read the user of a session in the SQL statement that reads the session.

Django reads the user in a statement of its own when ``request.user`` is used. This
module provides the same instance without that statement. If it cannot be certain that
Django would return the same user, it provides none, and Django reads the user.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, models
from django.db.models import query
from django.db.models.expressions import Expression
from django.utils.crypto import constant_time_compare

from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.store.users import has_backend
from session_limit.utils import sql
from session_limit.utils.process_cache import decided_by_settings

# The beginnings of statements that change no data.
_READS = ("SELECT", "BEGIN", "SAVEPOINT", "RELEASE SAVEPOINT")


@dataclass(frozen=True, slots=True, eq=False)
class UserJoin:
    """
    The SQL that reads a user beside the session's row, and how to make an instance.

    ``columns`` and ``join`` are parts of a statement in which the table of
    ``UserSession`` has the alias ``r``. ``key`` is the position of the user's primary
    key in ``columns``.
    """

    using: str
    manager: models.Manager[Any]
    columns: tuple[str, ...]
    join: str
    key: int
    converters: tuple[tuple[int, Expression, sql.Converter], ...]
    from_db: Callable[[str, Sequence[str], Sequence[Any]], AbstractBaseUser]
    names: tuple[str, ...]

    def instance(self, values: Sequence[Any]) -> AbstractBaseUser:
        """Return the user with these column ``values``, as a queryset would do."""
        converted = sql.apply(self.converters, values, connections[self.using])
        return self.from_db(self.using, self.names, converted)


def user_join(using: str) -> UserJoin | None:
    """
    Return how to read users beside ``UserSession`` rows in the database ``using``.

    Return ``None`` if Django must read the users: ``SESSION_LIMIT_JOIN_USER`` is false,
    users are in another database, or the user model has a queryset of its own.
    """
    join = _user_join(using)
    return join if join is not None and join.manager.db == using else None


@decided_by_settings
def _user_join(using: str) -> UserJoin | None:
    """Return the ``UserJoin`` for a database. The decision holds for this process."""
    user_model = cast("type[AbstractBaseUser]", get_user_model())
    if not (
        conf.join_user
        and _is_read_by_django(user_model)
        and _has_comparable_key(user_model, using)
    ):
        return None
    # The compiler names the columns and converts their values as for any queryset.
    queryset = user_model._default_manager.using(using)
    compiler: Any = queryset.query.get_compiler(using)
    compiler.setup_query()
    selected = [(column, text, params) for column, (text, params), _ in compiler.select]
    if any(params for _, _, params in selected):
        return None
    fields = [column.target for column, _, _ in selected]
    table, position = sql.table(user_model, using), fields.index(user_model._meta.pk)
    [refers] = sql.qualified(UserSession, ["user"], using, "r")
    converters = compiler.get_converters([column for column, _, _ in selected])
    return UserJoin(
        using,
        user_model._default_manager,
        tuple(text for _, text, _ in selected),
        f"LEFT JOIN {table} ON {selected[position][1]} = {refers}",
        position,
        tuple(
            (at, column, convert)
            for at, (found, column) in converters.items()
            for convert in found
        ),
        _from_db(user_model, queryset),
        tuple(field.attname for field in fields),
    )


def _is_read_by_django(user_model: type[models.Model]) -> bool:
    """Return whether Django's own querysets read this user model from one table."""
    manager: Any = user_model._default_manager
    plain, kind = models.Manager, type(manager)
    # The parents of a proxy do not say which tables its model has.
    concrete = cast("type[models.Model]", user_model._meta.concrete_model)
    return (
        not any(concrete._meta.parents.values())
        and kind.get_queryset is plain.get_queryset
        and kind.get is plain.get
        and type(manager.all()) is models.QuerySet
    )


def _has_comparable_key(user_model: type[models.Model], using: str) -> bool:
    """Return whether the database can compare users' keys in two tables."""
    kind = (user_model._meta.pk.db_type(connections[using]) or "").lower()
    # A composite key has no column and no type.
    if not kind:
        return False
    # Two columns of text may have different collations, which PostgreSQL and MySQL
    # refuse to compare. SQLite never refuses.
    is_text = "char" in kind or "text" in kind
    return connections[using].vendor == "sqlite" or not is_text


def _from_db(user_model: Any, queryset: Any) -> Any:
    # Django 6.1 passes the queryset's fetch mode on to each instance.
    bind = getattr(query, "_get_from_db", None)
    if bind is None:
        return user_model.from_db
    return bind(user_model, queryset._fetch_mode)  # noqa: SLF001


@decided_by_settings
def _backend(path: str) -> Any:
    """
    Return an authentication backend, or ``None`` if its users are not Django's.

    ``path`` is an item of ``AUTHENTICATION_BACKENDS``. The backend must load users with
    the code of ``ModelBackend``. The decision holds for this process.
    """
    backend = load_backend(path)
    names: tuple[Literal["get_user", "aget_user"], ...] = ("get_user", "aget_user")
    loads_as_django = all(
        getattr(type(backend), name, None) is (own := getattr(ModelBackend, name))
        and own.__module__ == ModelBackend.__module__
        for name in names
    )
    return backend if loads_as_django else None


class JoinedUser:
    """
    The user who was read together with a session, until somebody asks for the user.

    From ``watch()`` on, any statement that may write to the user's database makes
    ``take()`` return ``None``, because Django reads the user later, when the user is
    asked for.
    """

    def __init__(self, join: UserJoin, values: Sequence[Any]) -> None:
        self._join = join
        self._values: Sequence[Any] | None = values
        self._watched: Any = None
        self._transaction: list[Any] = []

    def take(self, data: Mapping[str, Any]) -> AbstractBaseUser | None:
        """
        Return the user whom ``auth.get_user()`` would load for the session ``data``.

        Return ``None`` if Django has to load the user, or if this is the second call.
        """
        values = None if self._may_be_rolled_back() else self._values
        self.forget()
        if values is None or values[self._join.key] is None or not has_backend(data):
            return None
        backend = _backend(data[BACKEND_SESSION_KEY])
        if backend is None:
            return None
        try:
            user = self._join.instance(values)
        except SynchronousOnlyOperation:
            # A receiver of ``post_init`` reads the database, and needs a thread.
            return None
        is_same = (
            str(user.pk) == data.get(SESSION_KEY)
            and bool(user)
            and backend.user_can_authenticate(user)
            and _is_verified(user, data.get(HASH_SESSION_KEY))
        )
        return user if is_same else None

    def watch(self) -> None:
        """Begin to watch the statements of the current thread's connection."""
        self._watched = connection = connections[self._join.using]
        self._transaction = connection.atomic_blocks[:1]
        wrappers = connection.execute_wrappers
        # A cancelled request, a response that streams, and a request whose session was
        # replaced may leave their user behind. None of them needs it any more.
        for other in [each for each in wrappers if isinstance(each, JoinedUser)]:
            other.forget()
        # Code that adds a wrapper for a while removes the last one in the list.
        wrappers.insert(0, self)

    def _may_be_rolled_back(self) -> bool:
        """Return whether the transaction that read the user has ended since."""
        # Django rolls a transaction back without a statement that could be watched.
        began = self._transaction
        return bool(began) and began != self._watched.atomic_blocks[:1]

    def forget(self) -> None:
        """Forget the user, and watch no longer."""
        self._values, self._transaction = None, []
        if self._watched is not None:
            watched, self._watched = self._watched, None
            # Other code may have replaced or emptied the list.
            with contextlib.suppress(ValueError):
                watched.execute_wrappers.remove(self)

    def __call__(
        self, execute: Callable[..., Any], statement: object, params: Any, *rest: Any
    ) -> Any:
        """Execute a statement of the project, as one of ``execute_wrappers``."""
        if not (isinstance(statement, str) and statement.startswith(_READS)):
            self.forget()
        return execute(statement, params, *rest)


def _is_verified(user: AbstractBaseUser, session_hash: str | None) -> bool:
    # With a hash from a former SECRET_KEY, Django stores a new hash in the session.
    if not hasattr(user, "get_session_auth_hash"):
        return True
    return bool(session_hash) and constant_time_compare(
        cast("str", session_hash), user.get_session_auth_hash()
    )
