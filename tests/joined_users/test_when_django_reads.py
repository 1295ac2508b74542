"""Whenever the joined user might not be the one of Django, Django reads the user."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import AllowAllUsersModelBackend, ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.db import connection, models, transaction
from django.db.models.signals import post_init
from django.test.utils import isolate_apps

from session_limit.store import joined_users
from session_limit.store.joined_users import user_join
from tests import stores
from tests.joined_users.conftest import is_comparable

# Each class is the model of a project of its own.
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
HERE = __name__


def users(pk):
    return get_user_model()._base_manager.filter(pk=pk)


def name(request):
    return request.user.get_username() or None


async def aname(request):
    return (await request.auser()).get_username() or None


BOTH = pytest.mark.parametrize("view", [name, aname])


@pytest.fixture
def counts(visit):
    """Return a function that counts the statements of a page that reads the user."""

    def counts(view):
        # A change of the session by the test may let the first page save it.
        visit(view)
        return visit(view), len(visit.statements)

    return counts


ONE = stores.STATEMENTS
TWO = stores.STATEMENTS + 1


@BOTH
def test_one_statement_reads_the_user_as_well(counts, view):
    assert counts(view) == ("ada", ONE if is_comparable() else TWO)


@BOTH
def test_a_setting_leaves_the_user_to_django(counts, view, settings):
    settings.SESSION_LIMIT_JOIN_USER = False
    assert counts(view) == ("ada", TWO)


def test_without_the_setting_no_statement_names_the_user_table_beside_a_session(
    visit, settings
):
    settings.SESSION_LIMIT_JOIN_USER = False
    visit(name)
    table = get_user_model()._meta.db_table
    *_, last = visit.statements
    assert [sql for sql in visit.statements if table in sql] == [last]


# Users


@BOTH
def test_a_disabled_user(ada, visit, view):
    ada.is_active = False
    ada.save()
    assert visit(view) is None


@BOTH
def test_a_user_who_was_disabled_without_a_signal(ada, visit, view):
    users(ada.pk).update(is_active=False)
    assert visit(view) is None


@BOTH
def test_a_deleted_user(ada, visit, view):
    ada.delete()
    assert visit(view) is None


@BOTH
def test_a_user_whose_row_is_gone(ada, visit, view):
    made = []

    def receiver(instance, **kwargs):
        made.append(instance.pk)

    post_init.connect(receiver, get_user_model())
    try:
        # PostgreSQL and SQLite check references at the commit.
        with transaction.atomic(), connection.constraint_checks_disabled():
            users(ada.pk)._raw_delete("default")
            assert visit(view) is None
            type(ada)._base_manager.bulk_create([ada])
    finally:
        post_init.disconnect(receiver, get_user_model())
    assert made == []


@BOTH
def test_a_user_whose_password_was_changed(ada, visit, view):
    users(ada.pk).update(password=make_password("another"))
    assert visit(view) is None


@BOTH
@pytest.mark.parametrize("session_hash", ["", None])
def test_a_session_that_has_no_hash(laptop, visit, view, session_hash):
    laptop.stored = {**laptop.stored, "_auth_user_hash": session_hash}
    assert visit(view) is None


@BOTH
def test_a_hash_that_is_empty(laptop, visit, view, monkeypatch):
    """Django accepts no session without a hash, whatever the user model says."""
    monkeypatch.setattr(get_user_model(), "get_session_auth_hash", lambda user: "")
    laptop.stored = {**laptop.stored, "_auth_user_hash": ""}
    assert visit(view) is None


@BOTH
def test_a_user_who_is_false(visit, view, monkeypatch):
    monkeypatch.setattr(get_user_model(), "__bool__", lambda user: False, raising=False)
    assert visit(view) is None


@BOTH
def test_a_former_secret_key(ada, laptop, visit, view, settings):
    """Django stores a new hash, under a new key."""
    key, former = laptop.cookie, laptop.stored["_auth_user_hash"]
    if stores.is_cookie():
        pytest.skip("the cookie is signed with the former key")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert visit(view) == "ada"
    assert laptop.cookie != key
    assert laptop.stored["_auth_user_hash"] not in {former, ""}
    assert visit(view) == "ada"


@BOTH
def test_a_secret_key_that_is_no_longer_known(visit, view, settings):
    if stores.is_cookie():
        pytest.skip("the cookie is signed with the former key")
    settings.SECRET_KEY = "another"
    assert visit(view) is None


@BOTH
def test_a_user_model_without_hashes(counts, view, monkeypatch):
    monkeypatch.delattr(AbstractBaseUser, "get_session_auth_hash")
    assert counts(view) == ("ada", ONE if is_comparable() else TWO)


# Authentication backends


class OwnGetUser(ModelBackend):
    def get_user(self, user_id):
        user = super().get_user(user_id)
        user.is_from_backend = True
        return user


class OwnAsyncGetUser(ModelBackend):
    async def aget_user(self, user_id):
        user = await super().aget_user(user_id)
        user.is_from_backend = True
        return user


class Hesitant(ModelBackend):
    def user_can_authenticate(self, user):
        return False


class Unrelated:
    def get_user(self, user_id):
        return get_user_model()._base_manager.filter(pk=user_id).first()

    async def aget_user(self, user_id):
        return await sync_to_async(self.get_user)(user_id)


def signed_in_by(laptop, settings, backend):
    path = f"{backend.__module__}.{backend.__qualname__}"
    settings.AUTHENTICATION_BACKENDS = [path]
    laptop.stored = {**laptop.stored, "_auth_user_backend": path}


def is_from_backend(request):
    return hasattr(request.user, "is_from_backend")


async def ais_from_backend(request):
    return hasattr(await request.auser(), "is_from_backend")


@pytest.mark.parametrize(
    ("backend", "view"),
    [(OwnGetUser, is_from_backend), (OwnAsyncGetUser, ais_from_backend)],
)
def test_a_backend_that_reads_users_itself(laptop, visit, settings, backend, view):
    signed_in_by(laptop, settings, backend)
    assert visit(view) is True


@BOTH
def test_a_backend_of_another_kind(laptop, counts, view, settings):
    signed_in_by(laptop, settings, Unrelated)
    assert counts(view) == ("ada", TWO)


@BOTH
def test_a_backend_that_accepts_everybody(ada, laptop, counts, view, settings):
    users(ada.pk).update(is_active=False)
    signed_in_by(laptop, settings, AllowAllUsersModelBackend)
    assert counts(view) == ("ada", ONE if is_comparable() else TWO)


@BOTH
def test_a_backend_that_accepts_nobody(laptop, visit, view, settings):
    signed_in_by(laptop, settings, Hesitant)
    assert visit(view) is None


@BOTH
def test_a_backend_that_was_removed(visit, view, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{HERE}.Unrelated"]
    assert visit(view) is None


@BOTH
def test_a_patched_model_backend(bob, visit, view, monkeypatch):
    async def aget_user(backend, user_id):
        return bob

    monkeypatch.setattr(ModelBackend, "get_user", lambda backend, user_id: bob)
    monkeypatch.setattr(ModelBackend, "aget_user", aget_user)
    monkeypatch.delattr(AbstractBaseUser, "get_session_auth_hash")
    joined_users._backend.cache_clear()
    try:
        assert visit(view) == "bob"
    finally:
        joined_users._backend.cache_clear()


# User models


class Kept(models.QuerySet):
    """A queryset that a project might let leave out some users."""


class KeptManager(BaseUserManager):
    def get_queryset(self):
        return super().get_queryset().filter(is_active=True)


class OwnGet(BaseUserManager):
    def get(self, *args, **kwargs):
        return super().get(*args, **kwargs)


class OwnAll(BaseUserManager):
    def all(self):
        return Kept(self.model, using=self._db)


class Elsewhere(BaseUserManager):
    def __init__(self):
        super().__init__()
        self._db = "elsewhere"


MANAGERS = {
    "own queryset": KeptManager,
    "own get": OwnGet,
    "own queryset class": BaseUserManager.from_queryset(Kept),
    "own all": OwnAll,
    "own database": Elsewhere,
}


@pytest.fixture
def is_joined(monkeypatch):
    """Return a function that tells whether users of a model can be joined."""

    def is_joined(model):
        monkeypatch.setattr(joined_users, "get_user_model", lambda: model)
        joined_users._user_join.cache_clear()
        return user_join("default") is not None

    yield is_joined
    monkeypatch.undo()
    joined_users._user_join.cache_clear()


@pytest.mark.parametrize("manager", [models.Manager, BaseUserManager])
@isolate_apps("tests.users")
def test_a_model_that_django_reads_from_one_table(is_joined, manager):
    class Person(AbstractBaseUser):
        objects = manager()

        class Meta:
            app_label = "users"

    assert is_joined(Person)


@pytest.mark.parametrize("manager", MANAGERS)
@isolate_apps("tests.users")
def test_a_manager_of_its_own(is_joined, manager):
    class Person(AbstractBaseUser):
        objects = MANAGERS[manager]()

        class Meta:
            app_label = "users"

    assert not is_joined(Person)


@isolate_apps("tests.users")
def test_a_model_with_two_tables(is_joined):
    class Person(AbstractBaseUser):
        class Meta:
            app_label = "users"

    class Employee(Person):
        class Meta:
            app_label = "users"

    class Teacher(Employee):
        class Meta:
            app_label = "users"
            proxy = True

    assert is_joined(Person)
    assert not is_joined(Employee)
    assert not is_joined(Teacher)


@isolate_apps("tests.users")
def test_a_proxy_is_read_like_its_model(is_joined):
    class Person(AbstractBaseUser):
        class Meta:
            app_label = "users"

    class Proxy(Person):
        class Meta:
            app_label = "users"
            proxy = True

    assert is_joined(Proxy)


@pytest.mark.skipif(
    not hasattr(models, "CompositePrimaryKey"), reason="needs Django 5.2"
)
@isolate_apps("tests.users")
def test_a_composite_key(is_joined):
    class Person(AbstractBaseUser):
        pk = models.CompositePrimaryKey("company", "number")
        company = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "users"

    assert not is_joined(Person)


@isolate_apps("tests.users")
def test_a_text_key_is_joined_only_on_sqlite(is_joined):
    class Person(AbstractBaseUser):
        code = models.CharField(max_length=20, primary_key=True)

        class Meta:
            app_label = "users"

    assert is_joined(Person) == (connection.vendor == "sqlite")


class ToReplica:
    """A router that may send reads to the primary database for a while."""

    is_lagging = False

    def db_for_read(self, model, **hints):
        is_read = model is get_user_model() and not self.is_lagging
        return "replica" if is_read else None


def test_a_router_that_reads_users_elsewhere(settings):
    settings.DATABASE_ROUTERS = [f"{HERE}.ToReplica"]
    assert user_join("default") is None


@pytest.mark.parametrize("is_lagging", [True, False])
def test_the_router_is_asked_each_time(settings, monkeypatch, is_lagging):
    settings.DATABASE_ROUTERS = [f"{HERE}.ToReplica"]
    for lags in (not is_lagging, is_lagging):
        monkeypatch.setattr(ToReplica, "is_lagging", lags)
        assert (user_join("default") is not None) == (lags and is_comparable())
