"""
What is wrong with how a project set the package up, told before it runs.

Settings alone are read: nothing here connects to a database. Each id has its entry
in ``docs/reference/checks.md``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.db import connections, router
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from session_limit.middleware import SessionLimitMiddleware
from session_limit.models import UserSession
from session_limit.navigation import ENDED_VIEW
from session_limit.policy import AtLimit, Displace
from session_limit.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

# manage.py check --tag session_limit
TAG = "session_limit"


def register_checks() -> None:
    """Register every check with Django."""
    checks.register(check_settings, TAG)
    checks.register(check_middleware, TAG)
    checks.register(check_apps, TAG)
    # Not under Django's tag for databases, which is for checks that may connect.
    checks.register(check_databases, TAG)
    checks.register(check_urls, TAG, checks.Tags.urls)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the value of a setting has to be."""

    expected: str
    is_valid: Callable[[Any], bool]
    hint: str


def _is_whole_number(value: Any) -> bool:
    # True is a number to Python, and never to the person who wrote it here.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_duration(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        return False
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # more than a timedelta holds, or NaN
        return False
    return duration > timedelta()


def _one_of(choices: Iterable[str], hint: str) -> _Kind:
    # A list, because an unhashable value is to be told, not to raise.
    valid = list(choices)
    expected = "one of " + ", ".join(f'"{choice}"' for choice in valid)
    return _Kind(expected, valid.__contains__, hint)


def _optional(kind: _Kind) -> _Kind:
    return _Kind(
        f"None or {kind.expected}",
        lambda value: value is None or kind.is_valid(value),
        kind.hint,
    )


_DURATION = _Kind(
    "a duration above zero",
    _is_duration,
    "Give seconds as a number, or a datetime.timedelta.",
)

# Every setting, with the id of what is said where its value is of another kind.
SETTINGS = {
    "SESSION_LIMIT": (
        "session_limit.E001",
        _optional(
            _Kind(
                "a whole number above zero",
                _is_whole_number,  # of zero there is more to say: E002
                "A value from the environment is a string: convert it with int().",
            )
        ),
    ),
    "SESSION_LIMIT_AT_LIMIT": (
        "session_limit.E003",
        _one_of(AtLimit, "It says what happens to a sign-in beyond the limit."),
    ),
    "SESSION_LIMIT_DISPLACE": (
        "session_limit.E004",
        _one_of(Displace, "It says which session makes room for a newer one."),
    ),
    "SESSION_LIMIT_RULES": (
        "session_limit.E005",
        _Kind(
            "the dotted path of a class, as a string",
            lambda value: isinstance(value, str),
            'For example "accounts.rules.PlanRules".',
        ),
    ),
    "SESSION_LIMIT_TOUCH_INTERVAL": ("session_limit.E008", _DURATION),
    "SESSION_LIMIT_IDLE_TIMEOUT": ("session_limit.E009", _optional(_DURATION)),
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT": ("session_limit.E010", _optional(_DURATION)),
    "SESSION_LIMIT_STORE_ADDRESS": (
        "session_limit.E011",
        _one_of(
            ("none", "truncated", "full"),
            'To keep no address at all, give the string "none".',
        ),
    ),
    "SESSION_LIMIT_TRUSTED_PROXIES": (
        "session_limit.E012",
        _Kind(
            "a whole number",
            _is_whole_number,
            "Count the proxies of yours that a request passes through; 0 for none.",
        ),
    ),
    "SESSION_LIMIT_RETENTION": ("session_limit.E013", _DURATION),
    "SESSION_LIMIT_SECURE_ACCOUNT_URL": (
        "session_limit.E014",
        _optional(
            _Kind(
                "an address",
                lambda value: isinstance(value, str | Promise),
                'Give a string such as "/account/secure/", or use reverse_lazy().',
            )
        ),
    ),
}


def check_settings(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check the settings, each by itself."""
    for name, (id_, kind) in SETTINGS.items():
        if hasattr(settings, name) and not kind.is_valid(getattr(settings, name)):
            yield checks.Error(
                f"{name} must be {kind.expected}, not {getattr(settings, name)!r}.",
                hint=kind.hint,
                id=id_,
            )
    limit = getattr(settings, "SESSION_LIMIT", None)
    if _is_whole_number(limit) and limit == 0:
        yield checks.Error(
            "SESSION_LIMIT is 0: nobody could sign in.",
            hint="None is no limit. To keep somebody out, deactivate the account.",
            id="session_limit.E002",
        )
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    if isinstance(path, str):
        yield from _check_rules(path)
    for name in dir(settings):
        if name.startswith("SESSION_LIMIT_") and name not in SETTINGS:
            yield checks.Warning(
                f"{name} is not a setting of session_limit: nothing reads it.",
                hint=f"Did you mean {_nearest(name)}?",
                id="session_limit.W015",
            )


def _check_rules(path: str) -> Iterator[checks.CheckMessage]:
    try:
        rules = import_string(path)
    except ImportError as error:
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" cannot be imported: {error}',
            hint="It is the dotted path of a subclass of session_limit.rules.Rules.",
            id="session_limit.E006",
        )
        return
    if not _is_subclass(rules, Rules):
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" is not a subclass of Rules.',
            hint="Derive it from session_limit.rules.Rules.",
            id="session_limit.E007",
        )


def _is_subclass(candidate: Any, base: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, base)


def _nearest(name: str) -> str:
    # They all begin alike: what comes after that tells them apart.
    def likeness(known: str) -> tuple[int, int]:
        matcher = difflib.SequenceMatcher(
            a=name.removeprefix("SESSION_LIMIT_"),
            b=known.removeprefix("SESSION_LIMIT_"),
        )
        alike = sum(block.size for block in matcher.get_matching_blocks())
        return alike, -len(known)

    return max(SETTINGS, key=likeness)


def check_middleware(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ours is there, once, and directly inside the sessions'."""
    classes = [_import(path) for path in settings.MIDDLEWARE]
    ours = [
        position
        for position, middleware in enumerate(classes)
        if _is_subclass(middleware, SessionLimitMiddleware)
    ]
    hint = (
        'Put "session_limit.middleware.SessionLimitMiddleware" directly below '
        '"django.contrib.sessions.middleware.SessionMiddleware", once.'
    )
    if not ours:
        yield checks.Error(
            "SessionLimitMiddleware is not in MIDDLEWARE: a session that has ended "
            "would go on.",
            hint=hint,
            id="session_limit.E101",
        )
        return
    if len(ours) > 1:
        yield checks.Error(
            f"SessionLimitMiddleware is in MIDDLEWARE {len(ours)} times.",
            hint=hint,
            id="session_limit.E102",
        )
    outer = classes[: ours[0]]
    if not (outer and _is_subclass(outer[-1], SessionMiddleware)):
        yield checks.Error(
            "SessionLimitMiddleware is not directly below SessionMiddleware: what "
            "stands between them would see sessions that have ended.",
            hint=hint,
            id="session_limit.E103",
        )


def _import(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:  # Django names it when it loads its middleware
        return None


def check_apps(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check the place among the apps, and for the one that the engine needs."""
    # Without django.contrib.auth at all, no model of ours could be imported.
    names = [config.name for config in apps.get_app_configs()]
    if names.index("session_limit") < names.index("django.contrib.auth"):
        yield checks.Error(
            "session_limit is above django.contrib.auth in INSTALLED_APPS: a sign-in "
            "would take its locks in the wrong order, and could deadlock with a change "
            "of password.",
            hint='Move "session_limit" below "django.contrib.auth".',
            id="session_limit.E201",
        )
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, SessionStore) and not _is_installed(store):
        yield checks.Error(
            f'SESSION_ENGINE "{settings.SESSION_ENGINE}" stores sessions in a table '
            "of an app that is not in INSTALLED_APPS.",
            hint='For Django\'s own engines, add "django.contrib.sessions".',
            id="session_limit.E202",
        )


def _is_installed(store: type[SessionStore]) -> bool:
    try:
        model = store.get_model_class()
    except RuntimeError:  # a model cannot even be imported without its app
        return False
    return model._meta.app_label in apps.app_configs


def check_databases(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check for what makes sign-ins at the same moment fail."""
    alias = router.db_for_write(UserSession)
    connection = connections[alias]
    if not connection.settings_dict["ATOMIC_REQUESTS"]:
        return  # transactions of our own begin as they should
    if _begins_deferred(connection):
        yield checks.Warning(
            f'Database "{alias}" is SQLite with ATOMIC_REQUESTS: sign-ins at the same '
            'moment fail with "database is locked".',
            hint='Set OPTIONS["transaction_mode"] to "IMMEDIATE": they then queue.',
            id="session_limit.W301",
        )
    if _repeats_reads(connection):
        yield checks.Warning(
            f'Database "{alias}" has ATOMIC_REQUESTS and an isolation level above READ '
            "COMMITTED: of sign-ins at the same moment some fail, with a 503.",
            hint='Set OPTIONS["isolation_level"] to read committed.',
            id="session_limit.W302",
        )


def _begins_deferred(connection: BaseDatabaseWrapper) -> bool:
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED"
    return connection.vendor == "sqlite" and mode.upper() == "DEFERRED"


def _repeats_reads(connection: BaseDatabaseWrapper) -> bool:
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "mysql":
        # Django's default is READ COMMITTED; None leaves it to the server, whose
        # default is REPEATABLE READ.
        level = options.get("isolation_level", "read committed") or "repeatable read"
        return level.lower() in {"repeatable read", "serializable"}
    if connection.vendor == "postgresql" and "isolation_level" in options:
        # A number that means another level to each driver; Django knows which.
        levels = import_string(
            "django.db.backends.postgresql.psycopg_any.IsolationLevel"
        )
        level = options["isolation_level"]
        return level in {levels.REPEATABLE_READ, levels.SERIALIZABLE}
    return False


def check_urls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that the page which says why can be reached."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return  # a project without pages, as Django's own checks see it
    try:
        reverse(ENDED_VIEW)
    except NoReverseMatch:
        yield checks.Warning(
            "session_limit.urls are not included in ROOT_URLCONF: whoever signs in "
            "without a form cannot choose to go on here.",
            hint='Add path("account/sessions/", include("session_limit.urls")).',
            id="session_limit.W401",
        )
