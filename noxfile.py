"""
Define every command in CONTRIBUTING.md, and the test matrix, as nox sessions.

``make`` installs nox and runs one session, so that ``make test`` runs
``nox --session test``. .ci/run runs the sessions with the tag "ci", several at a time.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.sessions = ["test"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True

# The Django release to test on each Python. A newer Python gets the last one.
DJANGO = {"3.11": "5.2", "3.12": "6.0", "3.13": "6.1"}
HERE = "{}.{}".format(*sys.version_info)
PYTHONS = list(dict.fromkeys([*DJANGO, HERE]))

# The environment of most sessions. If the tests require services, it has their drivers.
REQUIRED = os.environ.get("SESSION_LIMIT_REQUIRE_SERVICES") == "1"
KIND = "full" if REQUIRED else "environment"
ENVIRONMENT = f"{KIND}-{HERE}"

# --- The matrix -----------------------------------------------------------------------

# These tests create their own databases or start their own servers, so they run once.
SERVED = (
    "tests/cap",
    "tests/finality",
    "tests/servers",
    "tests/test_demo.py",
    "tests/test_figures.py",
    "tests/test_flood.py",
    "tests/test_plays_benchmark.py",
    "tests/test_push.py",
)
CLUSTERED = (
    "tests/clusters",
    "tests/history",
    "tests/bus/test_failover.py",
    "tests/bus/test_sessions_on_a_cluster.py",
)
BROWSER = ("tests/browser",)
OWN = (*SERVED, *CLUSTERED, *BROWSER)

# These tests check the documentation, the names of clients, the content of pages, and
# what "compat" decides.
# They depend neither on the session engine, nor on the user model, nor on the database.
SHOWN = (
    "tests/documentation",
    "tests/test_compat.py",
    "tests/test_devices.py",
    "tests/test_languages.py",
    "tests/test_safe_redirects.py",
    "tests/stories/test_addresses_of_a_client.py",
    "tests/stories/test_devices.py",
    "tests/stories/test_hostile.py",
    "tests/stories/test_hostile_clients.py",
    "tests/stories/test_languages.py",
    "tests/stories/test_new_sign_in_mail.py",
)
PAGES = (
    "tests/stories/test_admin.py",
    "tests/stories/test_admin_timeline.py",
    "tests/stories/test_answers.py",
    "tests/stories/test_new_sign_in.py",
    "tests/stories/test_own_limit.py",
    "tests/stories/test_pending.py",
    "tests/stories/test_your_sessions.py",
)
RACES = ("tests/interleavings", "tests/asgi", "tests/test_queries.py")
COUNTED = ("tests/interleavings", "tests/test_counts.py")
# These tests depend on the session engine.
STORIES = (*RACES, "tests/stories")
NOT_STORED = (*SHOWN, *PAGES, "tests/stories/test_plays.py")
# These tests depend on the user model.
PEOPLE = (
    "tests/joined_users",
    "tests/stories/test_admin.py",
    "tests/stories/test_choosing.py",
    "tests/stories/test_credentials.py",
    "tests/stories/test_doors.py",
    "tests/stories/test_new_sign_in.py",
    "tests/stories/test_own_limit.py",
    "tests/stories/test_plays.py",
    "tests/stories/test_two_browsers.py",
    "tests/stories/test_your_sessions.py",
    "tests/test_counts.py",
    "tests/test_testing.py",
)

# Selects the tests that "test" leaves out if services are not required.
SERVICES = ("-m", "services")


@dataclass(frozen=True)
class Run:
    """A row of the test matrix: tests to run, and the combination to run them on."""

    name: str
    paths: tuple[str, ...] = ("tests",)
    without: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    python: str = "3.11"
    database: str = "sqlite"
    engine: str = "db"
    user_model: str = "auth.User"
    # How to serve the stories. "both" takes three times as long as "sync".
    served: str = "both"
    # Whether to use Python's development mode, which shows more errors but takes twice
    # as long.
    development: bool = False

    def __post_init__(self) -> None:
        for path in (*self.paths, *self.without):
            if not Path(__file__).parent.joinpath(path).exists():
                raise FileNotFoundError(path)

    @property
    def combination(self) -> str:
        on = f"Django {DJANGO[self.python]} on Python {self.python}, {self.database}"
        return f"{on}, {self.engine}, {self.user_model}"


# The session engines besides "db", which the other runs use.
STORES = {
    "cached_db": "async",
    "cache_redis": "sync",
    "db_elsewhere": "sync",
    "file": "sync",
    "signed_cookies": "async",
}

# The longest runs come first, so that all processors stay busy to the end.
MATRIX = [
    Run("postgresql-6.1", without=(*OWN, *SHOWN), python="3.13", database="postgresql"),
    Run("chromium", BROWSER, python="3.13"),
    Run("clusters", CLUSTERED, options=SERVICES),
    Run(
        "mariadb-5.2",
        without=(*OWN, *SHOWN, *PAGES, "tests/libraries"),
        database="mariadb",
        served="sync",
    ),
    Run("servers", SERVED, options=SERVICES),
    *(
        Run(f"engine-{engine}", STORIES, NOT_STORED, engine=engine, served=served)
        for engine, served in STORES.items()
    ),
    # Every engine but "db" reads the user with the row, after the session.
    Run("joined-cached_db", ("tests/joined_users",), engine="cached_db"),
    # This engine reads before it writes in a transaction, which can fail on SQLite.
    Run(
        "engine-qsessions_db",
        (*RACES, "tests/joined_users"),
        database="postgresql",
        engine="qsessions_db",
    ),
    Run(
        "sqlite-6.0",
        without=(*OWN, *SHOWN, *PAGES, *RACES[:2], "tests/libraries"),
        python="3.12",
        served="async",
    ),
    Run("races-6.1", (*COUNTED, "tests/asgi"), python="3.13", development=True),
    Run("services", without=OWN, options=SERVICES),
    Run("users-EmailUser", PEOPLE, user_model="users.EmailUser", served="async"),
    Run("users-CodeUser", PEOPLE, user_model="users.CodeUser", served="sync"),
    Run(
        "engine-qsessions_cached_db",
        RACES,
        database="postgresql",
        engine="qsessions_cached_db",
    ),
    # The "cache" engine with other caches.
    Run("engine-cache_locmem", RACES, engine="cache_locmem"),
    Run("engine-cache_memcached", RACES, engine="cache_memcached"),
    Run("races-postgresql-5.2", COUNTED, database="postgresql"),
    Run(
        "engine-db_replica",
        ("tests/interleavings/test_replica.py",),
        engine="db_replica",
    ),
]

# --- Environments ---------------------------------------------------------------------


def lock(name: str, python: str) -> Path:
    """Return the file that pins the requirements in the set ``name`` for ``python``."""
    if name == "test":
        version = tuple(map(int, python.split(".")))
        tested = [p for p in DJANGO if tuple(map(int, p.split("."))) <= version]
        name = f"test-django{DJANGO[tested[-1]].replace('.', '')}"
    return Path("requirements", f"{name}.txt")


def install(session: nox.Session, *sets: str, wheel: bool = True) -> None:
    """
    Install the locked ``sets`` of requirements into the session's environment.

    With ``wheel``, also build and install the package's wheel, because the tests must
    cover what people install and not the source tree.
    """
    python = session.python if isinstance(session.python, str) else HERE
    files = [f"--requirement={lock(name, python)}" for name in sets]
    session.install("--require-hashes", "--no-deps", *files)
    if wheel:
        built = session.cache_dir.resolve() / f"wheel-{session.name}"
        for earlier in built.glob("*.whl"):
            earlier.unlink()
        build = ("-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation")
        session.run_install("python", *build, "--wheel-dir", f"{built}", ".")
        wheels = map(str, built.glob("*.whl"))
        session.install("--no-deps", "--force-reinstall", *wheels)


@nox.session(python=PYTHONS, default=False, allow_parallel=True)
def environment(session: nox.Session) -> None:
    """Install the environment of most sessions: the wheel, without any driver."""
    install(session, "test")


@nox.session(default=False)
def buses(session: nox.Session) -> None:
    """Install what the demo needs for BUS=redis and BUS=postgres."""
    install(session, "test", "buses")


@nox.session(python=PYTHONS, default=False, allow_parallel=True)
def full(session: nox.Session) -> None:
    """Install the environment of the matrix: the wheel, all drivers and servers."""
    install(session, "test", "services", "browser", "servers")


def run(
    session: nox.Session, *arguments: str, of: str = ENVIRONMENT, **env: str
) -> None:
    """Run Python in the environment of the nox session ``of``."""
    python = Path(__file__).parent.joinpath(
        ".nox", of.replace(".", "-"), "bin", "python"
    )
    # The tests must import the installed wheel, so the source tree must not come first.
    # Keep bytecode, because hundreds of processes import the same modules.
    unset = {"PYTHONPATH": None, "PYTHONDONTWRITEBYTECODE": None}
    session.run(f"{python}", *arguments, external=True, env={**unset, **env})


def command(
    *, of: str = ENVIRONMENT, name: str | None = None, ci: bool = False
) -> Callable[..., object]:
    """Return a decorator that makes a nox session of a function that uses ``run()``."""
    return nox.session(
        name=name,
        venv_backend="none",
        requires=[of],
        default=False,
        allow_parallel=True,
        tags=["ci"] if ci else [],
    )


# --- Tests ----------------------------------------------------------------------------


def whole_suite(name: str, python: str) -> None:
    of = f"{KIND}-{python}"

    @command(of=of, name=name)
    def test(session: nox.Session) -> None:
        """Run the suite on all processors. COVERAGE=1 measures branch coverage."""
        workers = os.environ.get("WORKERS", "auto")
        is_measured = os.environ.get("COVERAGE") == "1"
        measuring = ("-m", "coverage", "run") if is_measured else ()
        run(
            session,
            *(*measuring, "-m", "pytest"),
            *("--numprocesses", workers, "--dist", "loadgroup"),
            *session.posargs,
            of=of,
            SESSION_LIMIT_TEST_WHEEL="1",
        )


whole_suite("test", HERE)
for python in PYTHONS:
    whole_suite(f"test-{python}", python)


def suite(row: Run) -> None:
    """Define the nox session for one ``row`` of the matrix."""
    of = f"full-{row.python}"

    def session(session: nox.Session) -> None:
        run(
            session,
            *("-m", "pytest", *row.options, *row.paths),
            *(f"--ignore={path}" for path in row.without),
            *session.posargs,
            of=of,
            PYTHONDEVMODE="1" if row.development else "",
            SESSION_LIMIT_TEST_WHEEL="1",
            SESSION_LIMIT_TEST_DB=row.database,
            # Sessions that run at the same time need different databases.
            SESSION_LIMIT_TEST_DB_NAME=re.sub(
                r"\W", "_", f"session_limit_{os.getpid()}_{row.name}"
            ),
            SESSION_LIMIT_TEST_ENGINE=row.engine,
            SESSION_LIMIT_TEST_USER_MODEL=row.user_model,
            SESSION_LIMIT_TEST_SERVED=row.served,
        )

    session.__doc__ = row.combination
    command(of=of, name=row.name, ci=True)(session)


@command()
def mutants(session: nox.Session) -> None:
    """Apply deliberate bugs, each of which a test must detect."""
    run(session, "-m", "tests.mutants", *session.posargs)


@command(name="mutants-of-the-day", ci=True)
def mutants_of_the_day(session: nox.Session) -> None:
    """Apply every third deliberate bug, beginning at another one each day."""
    run(session, "-m", "tests.mutants", "--third")


for row in MATRIX:
    suite(row)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Run the browser tests in a real Chromium."""
    install(session, "test", "browser")
    tests = ("-m", "pytest", *BROWSER, *session.posargs)
    session.run("python", *tests, env={"SESSION_LIMIT_TEST_WHEEL": "1"})


@nox.session(default=False)
def screenshots(session: nox.Session) -> None:
    """Take a screenshot of every page and state."""
    install(session, "test", "browser")
    session.run("python", "-m", "tests.browser.screenshots", *session.posargs)


@nox.session(default=False, allow_parallel=True)
def libraries(session: nox.Session) -> None:
    """Install the environment of "compat": the wheel, and the libraries."""
    install(session, "compat")


@command(of="libraries")
def compat(session: nox.Session) -> None:
    """Run the tests of Django and of other libraries with and without the package."""
    run(session, "scripts/compat", *session.posargs, of="libraries")


@command(of="libraries", name="compat-quick", ci=True)
def compat_quick(session: nox.Session) -> None:
    """Run the half of "compat" that takes two minutes."""
    run(session, "scripts/compat", "--quick", of="libraries")


@command()
def cap(session: nox.Session) -> None:
    """Measure simultaneous sign-ins on real server processes."""
    run(session, "-m", "tests.cap")


@command(of=f"full-{HERE}")
def history(session: nox.Session) -> None:
    """Record what clients observe under faults and wrong clocks, and check it."""
    shutil.rmtree("build/history", ignore_errors=True)
    minutes = os.environ.get("MINUTES", "10")
    options = ("--all", "--minutes", minutes, "--keep", "build/history")
    run(session, "-m", "tests.history", *options, of=f"full-{HERE}")


# --- The rest -------------------------------------------------------------------------

DEMO_ENVIRONMENT = ENVIRONMENT
if os.environ.get("BUS") and not REQUIRED:
    DEMO_ENVIRONMENT = "buses"


@command(of=DEMO_ENVIRONMENT)
def demo(session: nox.Session) -> None:
    """Run the demo of two browsers against a real server."""
    run(session, "-m", "example", of=DEMO_ENVIRONMENT)


def check_migrations(of: str, *, ci: bool) -> None:
    name = of.replace("full", "migrations") if ci else "migrations"

    @command(of=of, name=name, ci=ci)
    def migrations(session: nox.Session) -> None:
        """Fail if a model has changed without a migration."""
        check = ("makemigrations", "--check", "--dry-run")
        run(session, "-m", "django", *check, "--settings", "tests.settings", of=of)


check_migrations(ENVIRONMENT, ci=False)
for python in DJANGO:
    check_migrations(f"full-{python}", ci=True)


@command()
def messages(session: nox.Session) -> None:
    """Update the translation catalogues from the source."""
    with session.chdir("src/session_limit"):
        keep = ("--all", "--no-obsolete", "--add-location", "file")
        run(session, "-m", "django", "makemessages", *keep)
        run(session, "-m", "django", "compilemessages")


@nox.session(default=False, allow_parallel=True, tags=["ci"])
def lint(session: nox.Session) -> None:
    """Check the rules, formatting and types of all source files."""
    install(session, "lint", wheel=False)
    session.run("scripts/lint", external=True)


@nox.session(default=False, allow_parallel=True, tags=["ci"])
def docs(session: nox.Session) -> None:
    """Build the documentation. Warnings are errors."""
    install(session, "docs", wheel=False)
    build = ("sphinx-build", "-E", "-W", "--keep-going", "docs", "docs/_build/html")
    session.run(*build, env={"PYTHONPATH": "src:."})


@command()
def coverage(session: nox.Session) -> None:
    """Report the branches that the measured sessions did not cover."""
    run(session, "-m", "coverage", "combine", "--quiet")
    run(session, "-m", "coverage", "report")
