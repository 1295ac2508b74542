from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import ERROR, WARNING, Tags, run_checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections
from django.test import override_settings
from django.urls import reverse_lazy
from django.utils.module_loading import import_string

from session_limit import checks
from session_limit.bus.memory import MemoryBus
from session_limit.checks import databases
from session_limit.client import describe_device
from session_limit.conf import MEMORY_BUS
from session_limit.middleware import SessionLimitMiddleware
from session_limit.models import UserSession
from session_limit.policy import AtLimit, Displace
from session_limit.rules import Rules

ROOT = Path(__file__).resolve().parent.parent

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
OURS = "session_limit.middleware.SessionLimitMiddleware"
OTHER = "django.middleware.common.CommonMiddleware"
UA_PARSER = "session_limit.contrib.ua_parser.describe_device"


def ids(check):
    messages = list(check())
    # Each message says what is wrong, and what to do about it.
    assert all(message.msg and message.hint for message in messages)
    levels = {"E": ERROR, "W": WARNING}
    assert all(levels[message.id[14]] == message.level for message in messages)
    return [message.id.removeprefix("session_limit.") for message in messages]


def the_message(check):
    (message,) = check()
    return message


def test_a_project_set_up_as_the_readme_says_hears_nothing():
    # Django 6.1 lets checks that are selected by their tag connect to databases.
    assert run_checks(tags=[checks.TAG], databases=[]) == []


def test_all_checks_are_registered():
    every = registry.get_checks(include_deployment_checks=True)
    registered = {check for check in every if checks.TAG in check.tags}
    package = {
        check
        for module in vars(checks).values()
        if isinstance(module, ModuleType)
        for name, check in vars(module).items()
        if name.startswith("check_") and check.__module__ == module.__name__
    }
    assert registered == package
    assert registered - set(registry.get_checks()) == {
        checks.databases.check_stalls,
        checks.deployment.check_guard,
        checks.session_storage.check_cookie_flags,
        checks.session_storage.check_processes,
    }
    by_tag = {
        tag: {check for check in registered if tag in check.tags}
        for tag in (Tags.urls, Tags.templates, Tags.database)
    }
    assert by_tag[Tags.urls] == {
        checks.addresses.check_urls,
        checks.addresses.check_links,
        checks.addresses.check_sign_in_page,
        checks.admin_site.check_admin_site,
        checks.session_storage.check_cookie_path,
    }
    assert by_tag[Tags.templates] == {checks.templates.check_templates}
    assert by_tag[Tags.database] == {
        checks.databases.check_servers,
        checks.pruning.check_pruning,
    }


# Settings


def check_settings():
    """Run all checks of the package's settings and rules but those of durations."""
    yield from checks.settings.check_settings()
    yield from checks.settings.check_names()
    yield from checks.rules.check_rules()
    yield from checks.rules.check_without_effect()


class GoodRules(Rules):
    pass


class NoRules:
    pass


NO_DURATIONS = [0, -1, True, "60", float("nan"), float("inf"), 10**20, 1e-9, [60]]
NO_DURATIONS += [timedelta(), timedelta(seconds=-1)]


def wrong(id_, name, values):
    return [(id_, f"SESSION_LIMIT{name}", value) for value in values]


@pytest.mark.parametrize(
    ("id_", "name", "value"),
    [
        *wrong("E001", "", ["1", -1, 1.5, True, False, [1]]),
        *wrong("E002", "", [0]),
        *wrong("E003", "_AT_LIMIT", ["choose", "Deny", "", None, ["deny"], True]),
        *wrong("E004", "_DISPLACE", ["newest", None, AtLimit.DENY, {}]),
        *wrong("E005", "_RULES", [Rules, Rules(), None, ["a.b"]]),
        *wrong("E006", "_RULES", [f"{__name__}.Missing", "nowhere.Rules", "Rules", ""]),
        *wrong("E007", "_RULES", [f"{__name__}.NoRules", f"{__name__}.wrong"]),
        *wrong("E008", "_TOUCH_INTERVAL", [None, *NO_DURATIONS]),
        *wrong("E009", "_IDLE_TIMEOUT", NO_DURATIONS),
        *wrong("E010", "_ABSOLUTE_TIMEOUT", NO_DURATIONS),
        *wrong("E011", "_STORE_ADDRESS", [None, "hmac", "", False]),
        *wrong("E012", "_TRUSTED_PROXIES", [None, -1, "1", True, 1.0]),
        *wrong("E013", "_RETENTION", [None, *NO_DURATIONS]),
        *wrong("E014", "_SECURE_ACCOUNT_URL", [1, b"/", ["/"], False]),
        *wrong("E017", "_SUPPORT_URL", [1, b"/", ["/"], False]),
        *wrong("E018", "_REAUTHENTICATION_AGE", [None, *NO_DURATIONS]),
        *wrong("E019", "_NEW_SIGN_IN", [None, "email", True, ["mail"]]),
        *wrong("W015", "_LIMIT", [1]),
        *wrong("E016", "_DEVICE", [describe_device, None, ["a.b"]]),
        *wrong("E020", "_DEVICE", [f"{__name__}.Missing", "nowhere.name", "name", ""]),
        *wrong("E020", "_DEVICE", [f"{__name__}.ROOT"]),
        *wrong("E021", "_BUS", [None, "redis", {}, {"BACKEND": MemoryBus}]),
        *wrong("E021", "_BUS", [{"BACKEND": MEMORY_BUS, "OPTIONS": []}]),
        *wrong("E021", "_BUS", [{"BACKEND": MEMORY_BUS, "URL": "redis://"}]),
        *wrong("E022", "_BUS", [{"BACKEND": "nowhere.Bus"}]),
        *wrong("E022", "_BUS", [{"BACKEND": f"{__name__}.NoRules"}]),
        *wrong("E022", "_BUS", [{"BACKEND": MEMORY_BUS, "OPTIONS": {"url": "a"}}]),
        *wrong("E025", "_PLAYS", [0, -1, "2", True, 1.5, [1]]),
        *wrong("E026", "_PLAYS_AT_LIMIT", ["pause", "", None, ["deny"]]),
        *wrong("E027", "_PLAY_COOLDOWN", [None, -1, "60", float("nan"), [60]]),
        *wrong("E030", "_PLAY_LEASE", [None, *NO_DURATIONS, 9.9, 3601]),
        *wrong("E030", "_PLAY_LEASE", [timedelta(seconds=9), timedelta(hours=2)]),
    ],
)
def test_a_wrong_value_is_told(id_, name, value):
    with override_settings(**{"SESSION_LIMIT_PLAYS": None, name: value}):
        assert ids(check_settings) == [id_]
        assert name in the_message(check_settings).msg


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"TOUCH_INTERVAL": 0.9}, "TOUCH_INTERVAL"),
        ({"TOUCH_INTERVAL": timedelta(microseconds=1)}, "TOUCH_INTERVAL"),
        ({"IDLE_TIMEOUT": 9}, "IDLE_TIMEOUT"),
        ({"TOUCH_INTERVAL": 901, "IDLE_TIMEOUT": 900}, "TOUCH_INTERVAL"),
        ({"IDLE_TIMEOUT": 900, "ABSOLUTE_TIMEOUT": 900}, "ABSOLUTE_TIMEOUT"),
        ({"TOUCH_INTERVAL": timedelta(weeks=2)}, "TOUCH_INTERVAL"),
        ({"RETENTION": timedelta(days=13)}, "RETENTION"),
    ],
)
def test_durations_that_are_absurd_together(values, named):
    with override_settings(**{f"SESSION_LIMIT_{n}": v for n, v in values.items()}):
        assert ids(checks.settings.check_durations) == ["W029"]
        said = the_message(checks.settings.check_durations)
        assert said.msg.startswith(f"SESSION_LIMIT_{named} ")
        assert said.hint


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"TOUCH_INTERVAL": 1},
        {"IDLE_TIMEOUT": 30},
        {"TOUCH_INTERVAL": 900, "IDLE_TIMEOUT": 900},
        {"IDLE_TIMEOUT": 900, "ABSOLUTE_TIMEOUT": 901},
        {"RETENTION": timedelta(weeks=2)},
        # check_settings() alone reports values that are no durations.
        {"TOUCH_INTERVAL": "0.5"},
        {"RETENTION": None, "TOUCH_INTERVAL": 0.5},
    ],
)
def test_durations_that_go_together(values):
    with override_settings(**{f"SESSION_LIMIT_{n}": v for n, v in values.items()}):
        assert ids(checks.settings.check_durations) == []


DURATIONS = [1, 0.5, timedelta(microseconds=1), timedelta(days=9)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", [1, 1_000, None]),
        ("_AT_LIMIT", [*AtLimit, "displace", "deny", "ask", "observe"]),
        ("_DISPLACE", [*Displace, "least_recent", "oldest", "all"]),
        ("_RULES", ["session_limit.rules.Rules", f"{__name__}.GoodRules"]),
        ("_BUS", [{"BACKEND": MEMORY_BUS}, {"BACKEND": MEMORY_BUS, "OPTIONS": {}}]),
        ("_TOUCH_INTERVAL", DURATIONS),
        ("_IDLE_TIMEOUT", [None, *DURATIONS]),
        ("_ABSOLUTE_TIMEOUT", [None, *DURATIONS]),
        ("_STORE_ADDRESS", ["none", "truncated", "full"]),
        ("_TRUSTED_PROXIES", [0, 1, 3]),
        ("_DEVICE", ["tests.agents.name_device", UA_PARSER]),
        ("_RETENTION", DURATIONS),
        ("_SECURE_ACCOUNT_URL", [None, "/secure/", reverse_lazy("not_there")]),
        ("_SUPPORT_URL", [None, "/help/", reverse_lazy("not_there")]),
        ("_REAUTHENTICATION_AGE", DURATIONS),
        ("_NEW_SIGN_IN", ["none", "message", "mail"]),
        ("_PLAYS", [1, 1_000, None]),
        ("_PLAYS_AT_LIMIT", [*AtLimit, "displace", "deny", "ask", "observe"]),
        ("_PLAY_COOLDOWN", [0, *DURATIONS]),
        ("_PLAY_LEASE", [10, 3600, 30.5, timedelta(minutes=2)]),
    ],
)
def test_a_right_value_is_not(name, values):
    for value in values:
        setting = {"SESSION_LIMIT_PLAYS": 1, f"SESSION_LIMIT{name}": value}
        with override_settings(**setting):
            assert ids(check_settings) == []


@override_settings(SESSION_LIMIT=0)
def test_a_limit_of_zero_is_told_what_no_limit_is():
    message = the_message(check_settings)
    assert "nobody could sign in" in message.msg
    assert "None is no limit" in message.hint


@override_settings(SESSION_LIMIT_RULES="nowhere.Rules")
def test_rules_that_cannot_be_imported_say_why():
    assert "No module named 'nowhere'" in the_message(check_settings).msg


@override_settings(SESSION_LIMIT_DEVICE=UA_PARSER)
def test_a_device_that_needs_an_extra_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "ua_parser", None)
    monkeypatch.delitem(sys.modules, "session_limit.contrib.ua_parser", raising=False)
    message = the_message(check_settings).msg
    assert 'pip install "django-session-limit[ua-parser]"' in message


class PlayRules(Rules):
    def play_limit(self, user, scope):
        return 2


@override_settings(SESSION_LIMIT_PLAY_COOLDOWN=0)
def test_what_is_said_of_plays_is_of_no_use_without_any():
    assert ids(check_settings) == ["W028"]
    assert "SESSION_LIMIT_PLAY_COOLDOWN" in the_message(check_settings).msg


@override_settings(SESSION_LIMIT_RULES=f"{__name__}.PlayRules")
def test_rules_for_plays_are_of_no_use_without_any():
    message = the_message(check_settings)
    assert (message.id, "PlayRules.play_limit()" in message.msg) == (
        "session_limit.W028",
        True,
    )
    with override_settings(SESSION_LIMIT_PLAYS=None):
        assert ids(check_settings) == []


@override_settings(SESSION_LIMIT_DEVICE=f"{__name__}.ROOT")
def test_a_device_that_cannot_be_called_says_so():
    assert "not callable" in the_message(check_settings).msg


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("SESSION_LIMIT_AT_LIMITS", "SESSION_LIMIT_AT_LIMIT"),
        ("SESSION_LIMIT_TOUCH", "SESSION_LIMIT_TOUCH_INTERVAL"),
        ("SESSION_LIMIT_IDLE", "SESSION_LIMIT_IDLE_TIMEOUT"),
        ("SESSION_LIMIT_RULE", "SESSION_LIMIT_RULES"),
        ("SESSION_LIMIT_PROXIES", "SESSION_LIMIT_TRUSTED_PROXIES"),
    ],
)
def test_a_name_that_is_no_setting_is_told_the_nearest(typo, meant):
    with override_settings(**{typo: 1}):
        assert f"Did you mean {meant}?" == the_message(check_settings).hint


@override_settings(SESSION_LIMITED=1, ACCOUNT_SESSION_LIMIT_X=1, SESSION_LIMIT_=1)
def test_other_peoples_settings_are_left_alone():
    assert ids(check_settings) == ["W015"]
    assert the_message(check_settings).msg.startswith("SESSION_LIMIT_ is")


@override_settings(
    SESSION_LIMIT="3", SESSION_LIMIT_RETENTION=None, SESSION_LIMIT_NOTHING=1
)
def test_everything_that_is_wrong_is_told_at_once():
    assert ids(check_settings) == ["E001", "E013", "W015"]


# Middleware


class OwnSessions(SessionMiddleware):
    pass


class OwnSessionLimit(SessionLimitMiddleware):
    pass


def function_middleware(get_response):
    return get_response


OWN_SESSIONS = f"{__name__}.OwnSessions"
OWN_SESSION_LIMIT = f"{__name__}.OwnSessionLimit"
FUNCTION = f"{__name__}.function_middleware"


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([SESSIONS, OURS], []),
        ([OTHER, FUNCTION, SESSIONS, OURS, OTHER, FUNCTION], []),
        ([OWN_SESSIONS, OWN_SESSION_LIMIT], []),
        ([SESSIONS, OWN_SESSION_LIMIT], []),
        ([], ["E101"]),
        ([SESSIONS, OTHER], ["E101"]),
        ([SESSIONS, FUNCTION], ["E101"]),
        ([SESSIONS, "nowhere.SessionLimitMiddleware"], ["E101"]),
        ([SESSIONS, OURS, OURS], ["E102"]),
        ([SESSIONS, OURS, OTHER, OWN_SESSION_LIMIT], ["E102"]),
        ([SESSIONS, OTHER, OURS], ["E103"]),
        ([SESSIONS, FUNCTION, OURS], ["E103"]),
        ([SESSIONS, "nowhere.Middleware", OURS], ["E103"]),
        ([OURS, SESSIONS], ["E103"]),
        # The index before the first is the last one, which would look right.
        ([OURS, OTHER, SESSIONS], ["E103"]),
        ([OTHER, OURS], ["E103"]),
        ([OURS], ["E103"]),
        ([SESSIONS, OTHER, OURS, OURS], ["E102", "E103"]),
    ],
)
def test_middleware(middleware, expected):
    with override_settings(MIDDLEWARE=middleware):
        assert ids(checks.middleware.check_middleware) == expected


# Apps

# These include the user model of each run.
USERS = ["django.contrib.contenttypes", "django.contrib.auth", "tests.users"]
CACHE_ENGINE = "django.contrib.sessions.backends.cache"

DEFAULT_ENGINE = "django.contrib.sessions.backends.db"
CACHED_DB_ENGINE = "django.contrib.sessions.backends.cached_db"
CACHE_ENGINE = "django.contrib.sessions.backends.cache"


class SessionStore(DatabaseSessionStore):
    """Make this module a session engine, with a table of an app other than Django's."""

    @classmethod
    def get_model_class(cls):
        return UserSession


@pytest.mark.parametrize(
    ("apps", "engine", "expected"),
    [
        ([*USERS, "session_limit"], CACHE_ENGINE, []),
        ([*USERS, "session_limit"], __name__, []),
        ([*USERS, "django.contrib.sessions", "session_limit"], DEFAULT_ENGINE, []),
        ([*USERS, "session_limit", "django.contrib.sessions"], CACHED_DB_ENGINE, []),
        (["session_limit", *USERS], CACHE_ENGINE, ["E201"]),
        ([*USERS, "session_limit"], DEFAULT_ENGINE, ["E202"]),
        ([*USERS, "session_limit"], CACHED_DB_ENGINE, ["E202"]),
        (["session_limit", *USERS], DEFAULT_ENGINE, ["E201", "E202"]),
    ],
)
def test_apps(apps, engine, expected):
    with override_settings(INSTALLED_APPS=apps, SESSION_ENGINE=engine):
        assert ids(checks.installation.check_apps) == expected


def test_an_engine_whose_model_cannot_be_imported(monkeypatch):
    def get_model_class():
        raise RuntimeError  # as Django raises it

    monkeypatch.setattr(SessionStore, "get_model_class", get_model_class)
    with override_settings(SESSION_ENGINE=__name__):
        assert ids(checks.installation.check_apps) == ["E202"]


def start(apps):
    """Set up a project with these ``apps`` in another process, and run the checks."""
    code = f"""
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="tests", INSTALLED_APPS={apps}, MIDDLEWARE={[SESSIONS, OURS]}
)
django.setup()
from django.core.checks import run_checks
print(*[message.id for message in run_checks(tags=["session_limit"])])
from django.core.wsgi import get_wsgi_application
get_wsgi_application()
"""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_project_without_the_sessions_app_gets_as_far_as_being_told():
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "session_limit"]
    # Without TEMPLATES, no engine finds the pages either.
    assert set(start(apps).stdout.split()) == {
        "session_limit.E202",
        "session_limit.W408",
    }


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("session_limit", "SessionLimitMiddleware needs its app"),
        ("django.contrib.auth", "isn't in an application in INSTALLED_APPS"),
    ],
)
def test_a_project_without_an_app_that_no_check_can_miss_does_not_start(
    missing, message
):
    apps = [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "session_limit",
    ]
    finished = start([app for app in apps if app != missing])
    assert finished.returncode != 0
    assert message in finished.stderr


# Databases


class RegistryElsewhere:
    def db_for_write(self, model, **hints):
        return "registry" if model is UserSession else None


def connection(vendor, options, *, atomic_requests=True):
    """Return what a check may read. There is no database to connect to."""
    settings_dict = {"ATOMIC_REQUESTS": atomic_requests, "OPTIONS": options}
    return SimpleNamespace(vendor=vendor, settings_dict=settings_dict)


Psycopg2 = IntEnum(
    "Psycopg2",
    ["READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE", "READ_UNCOMMITTED"],
)
Psycopg3 = IntEnum(
    "Psycopg3",
    ["READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"],
)


@pytest.fixture
def check_one(monkeypatch):
    def check_one(vendor, options, *, driver=Psycopg3, **kwargs):
        module = "django.db.backends.postgresql.psycopg_any"
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(IsolationLevel=driver))
        found = {"default": connection(vendor, options, **kwargs)}
        monkeypatch.setattr(databases, "connections", found)
        return ids(checks.databases.check_databases)

    return check_one


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["W301"]),
        ({"timeout": 20}, ["W301"]),
        ({"transaction_mode": None}, ["W301"]),
        ({"transaction_mode": "DEFERRED"}, ["W301"]),
        ({"transaction_mode": "deferred"}, ["W301"]),
        ({"transaction_mode": "IMMEDIATE"}, []),
        ({"transaction_mode": "immediate"}, []),
        ({"transaction_mode": "EXCLUSIVE"}, []),
    ],
)
def test_sqlite(check_one, options, expected):
    assert check_one("sqlite", options) == expected
    assert check_one("sqlite", options, atomic_requests=False) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"isolation_level": "read committed"}, []),
        ({"isolation_level": "READ UNCOMMITTED"}, []),
        ({"isolation_level": "repeatable read"}, ["W302"]),
        ({"isolation_level": "Repeatable Read"}, ["W302"]),
        ({"isolation_level": "serializable"}, ["W302"]),
        # The server's own default is REPEATABLE READ.
        ({"isolation_level": None}, ["W302"]),
        ({"isolation_level": ""}, ["W302"]),
    ],
)
def test_mysql(check_one, options, expected):
    assert check_one("mysql", options) == expected
    assert check_one("mysql", options, atomic_requests=False) == []


@pytest.mark.parametrize("driver", [Psycopg2, Psycopg3])
@pytest.mark.parametrize("as_given", [lambda level: level, int])
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("READ_UNCOMMITTED", []),
        ("READ_COMMITTED", []),
        ("REPEATABLE_READ", ["W302"]),
        ("SERIALIZABLE", ["W302"]),
    ],
)
def test_postgresql(check_one, driver, as_given, level, expected):
    options = {"isolation_level": as_given(driver[level])}
    assert check_one("postgresql", options, driver=driver) == expected
    assert check_one("postgresql", options, driver=driver, atomic_requests=False) == []


def test_postgresql_as_it_comes(check_one):
    assert check_one("postgresql", {}) == []
    assert check_one("postgresql", {"pool": True}) == []


@pytest.mark.services("postgresql")
def test_postgresql_with_the_driver_that_is_installed(monkeypatch):
    levels = import_string("django.db.backends.postgresql.psycopg_any.IsolationLevel")
    for level, expected in [("READ_COMMITTED", []), ("SERIALIZABLE", ["W302"])]:
        found = connection("postgresql", {"isolation_level": levels[level]})
        monkeypatch.setattr(databases, "connections", {"default": found})
        assert ids(checks.databases.check_databases) == expected


def test_another_database_is_none_of_ours_to_judge(check_one):
    assert check_one("oracle", {"isolation_level": "serializable"}) == []


@override_settings(DATABASE_ROUTERS=[RegistryElsewhere()])
def test_the_database_that_holds_the_registry_is_the_one_that_is_checked(monkeypatch):
    good = connection("sqlite", {"transaction_mode": "IMMEDIATE"})
    bad = connection("sqlite", {})
    monkeypatch.setattr(databases, "connections", {"default": bad, "registry": good})
    assert ids(checks.databases.check_databases) == []
    monkeypatch.setattr(databases, "connections", {"default": good, "registry": bad})
    assert ids(checks.databases.check_databases) == ["W301"]
    assert '"registry"' in the_message(checks.databases.check_databases).msg


def test_the_database_of_the_settings_is_found(monkeypatch):
    settings_dict = connections["default"].settings_dict
    monkeypatch.setitem(settings_dict, "ATOMIC_REQUESTS", True)
    expected = {"sqlite": ["W301"]}.get(connections["default"].vendor, [])
    assert ids(checks.databases.check_databases) == expected


# Stalled connections, before a deployment


@pytest.fixture
def check_stalls(monkeypatch):
    def check_stalls(vendor, host="db.example.com", **options):
        found = connection(vendor, options)
        found.settings_dict["HOST"] = host
        monkeypatch.setattr(databases, "connections", {"default": found})
        return ids(checks.databases.check_stalls)

    return check_stalls


BOUNDED = {
    "postgresql": {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "tcp_user_timeout": 10_000,
    },
    "mysql": {"connect_timeout": 5, "read_timeout": 30},
}
UNBOUNDED = {"postgresql": "W304", "mysql": "W305"}


@pytest.mark.parametrize("vendor", BOUNDED)
def test_a_wait_for_the_database_without_a_bound(check_stalls, vendor):
    options = BOUNDED[vendor]
    assert check_stalls(vendor) == [UNBOUNDED[vendor]]
    assert check_stalls(vendor, **options) == []
    for name in options:
        assert check_stalls(vendor, **options | {name: 0}) == [UNBOUNDED[vendor]]
        assert name in the_message(checks.databases.check_stalls).hint
    # A network may drop a connection silently. A Unix socket does not.
    assert check_stalls(vendor, host="/var/run/postgresql") == []
    assert check_stalls(vendor, host="") == []


def test_options_that_are_kept_elsewhere(check_stalls):
    assert check_stalls("postgresql", service="members") == []
    assert check_stalls("mysql", read_default_file="/etc/my.cnf") == []


def test_a_database_without_a_network(check_stalls):
    assert check_stalls("sqlite") == []


def test_the_options_of_the_how_to_are_enough(check_stalls):
    """
    The snippets on the page are valid Python, and the check accepts their options.
    """
    page = (ROOT / "docs" / "how-to" / "stalled-connections.md").read_text()
    snippets = re.findall(r"```python\n(DATABASES.*?)```", page, re.DOTALL)
    engines = set()
    for snippet in snippets:
        namespace = {"os": os}
        exec(snippet, namespace)  # noqa: S102 from our own page
        database = namespace["DATABASES"]["default"]
        vendor = database["ENGINE"].rpartition(".")[2]
        engines.add(vendor)
        assert check_stalls(vendor, **database["OPTIONS"]) == []
    assert engines == set(BOUNDED)


class Answers:
    """A connection to a server that answers every statement with ``rows``."""

    def __init__(self, vendor, rows):
        self.vendor = vendor
        self.settings_dict = {"ATOMIC_REQUESTS": False}
        self.ops = SimpleNamespace(quote_name=str)
        self.rows = rows

    @contextmanager
    def cursor(self):
        yield SimpleNamespace(
            execute=lambda sql: None,
            fetchall=lambda: self.rows,
            fetchone=lambda: self.rows[0],
        )


@pytest.fixture
def check_server(monkeypatch):
    def check_server(vendor, *rows):
        found = {"default": Answers(vendor, rows)}
        monkeypatch.setattr(databases, "connections", found)
        return ids(partial(checks.databases.check_servers, databases=["default"]))

    return check_server


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),  # MySQL
        ({"wsrep_on": "OFF", "wsrep_sync_wait": "0"}, []),  # MariaDB without a cluster
        ({"wsrep_on": "ON", "wsrep_sync_wait": "0"}, ["W307"]),
        ({"wsrep_on": "ON", "wsrep_sync_wait": "1"}, []),
        # Writes wait, and reads do not.
        ({"wsrep_on": "ON", "wsrep_sync_wait": "6"}, ["W307"]),
        ({"wsrep_on": "ON", "wsrep_sync_wait": "15"}, []),
    ],
)
def test_galera(check_server, variables, expected):
    assert check_server("mysql", *variables.items()) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("off", ["W308"]),
        ("local", ["W308"]),
        ("remote_write", []),
        ("on", []),
        ("remote_apply", []),
    ],
)
def test_synchronous_commit(check_server, value, expected):
    assert check_server("postgresql", (value,)) == expected


def test_no_server_to_ask(check_server):
    assert check_server("sqlite") == []


@pytest.mark.parametrize("vendor", ["mysql", "postgresql"])
@pytest.mark.parametrize("error", [OperationalError, ImproperlyConfigured])
def test_a_server_that_does_not_answer(monkeypatch, vendor, error):
    class Away(Answers):
        def cursor(self):
            raise error("no connection")

    monkeypatch.setattr(databases, "connections", {"default": Away(vendor, [])})
    assert ids(partial(checks.databases.check_servers, databases=["default"])) == []


@override_settings(DATABASE_ROUTERS=[RegistryElsewhere()])
def test_only_the_server_that_holds_the_registry_is_asked(monkeypatch):
    found = {"registry": Answers("postgresql", [("off",)])}
    monkeypatch.setattr(databases, "connections", found)
    for named, expected in [
        (None, []),
        (["default"], []),
        (["default", "registry"], ["W308"]),
    ]:
        assert ids(partial(checks.databases.check_servers, databases=named)) == expected


@pytest.mark.django_db
def test_servers_are_asked_when_django_lets_checks_connect(monkeypatch):
    """``migrate`` and ``check --database`` ask the servers, and ``check`` does not."""
    found = {"default": Answers("postgresql", [("off",)])}
    monkeypatch.setattr(databases, "connections", found)
    assert "session_limit.W308" not in {message.id for message in run_checks()}
    messages = run_checks(tags=[checks.TAG], databases=["default"])
    assert [message.id for message in messages] == ["session_limit.W308"]


# Addresses

urlpatterns = []


def test_addresses_that_are_included():
    assert ids(checks.addresses.check_urls) == []


@override_settings(ROOT_URLCONF=__name__)
def test_addresses_that_are_not_included():
    assert ids(checks.addresses.check_urls) == ["W401"]


@override_settings(ROOT_URLCONF=__name__, SESSION_LIMIT_AT_LIMIT="ask")
def test_nobody_can_be_asked_without_addresses():
    assert ids(checks.addresses.check_urls) == ["E402"]


def test_pages_that_nobody_serves_the_style_of():
    apps = [app for app in settings.INSTALLED_APPS if "staticfiles" not in app]
    with override_settings(INSTALLED_APPS=apps):
        assert ids(checks.addresses.check_urls) == ["W404"]


@pytest.mark.parametrize("urlconf", [None, ""])
def test_a_project_without_addresses_needs_none_of_ours(urlconf):
    with override_settings(ROOT_URLCONF=urlconf):
        assert ids(checks.addresses.check_urls) == []


@override_settings()
def test_a_project_need_not_even_name_a_urlconf():
    del settings.ROOT_URLCONF
    assert ids(checks.addresses.check_urls) == []


# Re-authentication


class OwnPage(Rules):
    def reauthentication_url(self, user, request, back):
        return "/sudo/"


@pytest.fixture
def with_allauth(monkeypatch):
    installed = apps.is_installed
    monkeypatch.setattr(
        apps, "is_installed", lambda name: name == "allauth.account" or installed(name)
    )


def test_without_allauth_its_page_is_not_missed():
    assert ids(checks.installation.check_reauthentication) == []


@pytest.mark.usefixtures("with_allauth")
def test_with_allauth_the_form_of_ours_passes_by_its_page():
    assert ids(checks.installation.check_reauthentication) == ["W403"]
    with override_settings(SESSION_LIMIT_RULES=f"{__name__}.OwnPage"):
        assert ids(checks.installation.check_reauthentication) == []


@pytest.mark.usefixtures("with_allauth")
@pytest.mark.parametrize("path", ["nowhere.Rules", f"{__name__}.ids"])
def test_of_rules_that_are_none_another_check_tells(path):
    with override_settings(SESSION_LIMIT_RULES=path):
        assert ids(checks.installation.check_reauthentication) == []


# The reference page


def test_the_page_lists_exactly_the_checks():
    package = ROOT / "src" / "session_limit"
    # Each bus defines its own checks, and each setting has one.
    modules = [*package.glob("checks/*.py"), *package.glob("bus/*.py")]
    modules.append(package / "setting_kinds.py")
    source = "".join(module.read_text() for module in modules)
    page = (ROOT / "docs" / "reference" / "checks.md").read_text()
    in_code = re.findall(r"session_limit\.[EW]\d{3}", source)
    on_page = re.findall(r"^- `(session_limit\.[EW]\d{3})`: ", page, re.MULTILINE)
    assert len(set(in_code)) == len(in_code)
    assert on_page == sorted(in_code, key=lambda id_: id_.partition(".")[2][1:])
    assert len(re.findall(r"session_limit\.[EW]\d{3}", page)) == len(on_page)
