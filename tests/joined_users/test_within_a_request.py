"""What happens to the user between the reading of the session and its use."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import (
    alogin,
    alogout,
    get_user_model,
    login,
    logout,
    update_session_auth_hash,
)
from django.contrib.auth.hashers import make_password
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, transaction
from django.db.models.signals import post_init
from django.http import StreamingHttpResponse

from session_limit.store.joined_users import JoinedUser
from tests.joined_users import urls
from tests.stories.people import statements

BACKEND = "django.contrib.auth.backends.ModelBackend"
NAME = get_user_model().USERNAME_FIELD


def users(pk):
    return get_user_model()._base_manager.filter(pk=pk)


def by_save(pk):
    user = users(pk).get()
    user.is_active = False
    user.save()


def by_update(pk):
    users(pk).update(is_active=False)


# It begins with a comment and in lower case, as the statements of some libraries do.
TABLE = connection.ops.quote_name(get_user_model()._meta.db_table)
DISABLE = f"/* by hand */ update {TABLE} set is_active = %s"  # noqa: S608


def by_sql(pk):
    with connection.cursor() as cursor:
        cursor.execute(DISABLE, [False])


def by_many(pk):
    with connection.cursor() as cursor:
        cursor.executemany(DISABLE, [[True], [False]])


def by_transaction(pk):
    with transaction.atomic():
        by_update(pk)


CHANGES = [by_save, by_update, by_sql, by_many, by_transaction]


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_who_was_changed_since_the_session_was_read_is_read_anew(
    ada, visit, change
):
    def view(request):
        request.session.get("anything")
        change(ada.pk)
        return request.user.is_authenticated

    assert visit(view) is False


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_in_async_code(ada, visit, change):
    async def view(request):
        await request.session.aget("anything")
        await sync_to_async(change)(ada.pk)
        return (await request.auser()).is_authenticated

    assert visit(view) is False


def rename(pk, name):
    users(pk).update(last_login=None, **{NAME: name})


# CodeUser's name is its primary key.
HAS_NAME = pytest.mark.skipif(
    get_user_model()._meta.get_field(NAME).primary_key, reason="the name is the key"
)


@HAS_NAME
def test_a_change_that_a_savepoint_takes_back(ada, visit):
    def view(request):
        with transaction.atomic():
            with transaction.atomic():
                rename(ada.pk, "other")
                request.session.get("anything")
                transaction.set_rollback(True)
            return request.user.get_username()

    assert visit(view) == "ada"


@HAS_NAME
def test_a_change_that_the_transaction_takes_back(ada, visit):
    def view(request):
        with transaction.atomic():
            rename(ada.pk, "other")
            request.session.get("anything")
            transaction.set_rollback(True)
        return request.user.get_username()

    assert visit(view) == "ada"


def test_reading_does_not_make_django_read_the_user_again(ada, visit):
    def view(request):
        request.session.get("anything")
        with transaction.atomic(), transaction.atomic():
            users(ada.pk).exists()
        with statements() as ran:
            assert request.user.pk == ada.pk
        return ran

    assert visit(view) == []


@pytest.mark.parametrize("kind", ["load", "use", "both"])
def test_the_wrappers_of_other_code_stay(ada, visit, kind):
    seen = []

    def spy(execute, sql, *rest):
        seen.append(sql)
        return execute(sql, *rest)

    def view(request):
        if kind == "load":
            with connection.execute_wrapper(spy):
                request.session.get("anything")
            assert connection.execute_wrappers != [spy]
            return request.user.pk
        request.session.get("anything")
        with connection.execute_wrapper(spy):
            assert request.user.pk
            assert connection.execute_wrappers == [spy]
            if kind == "both":
                users(ada.pk).update(is_active=True)
        return request.user.pk

    assert visit(view) == ada.pk
    assert connection.execute_wrappers == []
    assert bool(seen) == (kind != "use")


def test_other_code_that_removes_all_wrappers(ada, visit):
    def view(request):
        request.session.get("anything")
        connection.execute_wrappers.clear()
        return request.user.pk

    assert visit(view) == ada.pk


# The watch ends with the request.


def test_the_watch_ends_with_the_response(visit):
    def view(request):
        request.session.get("anything")
        return [isinstance(each, JoinedUser) for each in connection.execute_wrappers]

    assert visit(view) == [True]
    assert connection.execute_wrappers == []


@pytest.mark.parametrize("is_async", [False, True])
def test_the_watch_ends_with_an_error(laptop, is_async):
    def view(request):
        request.session.get("anything")
        raise ZeroDivisionError

    async def aview(request):
        await request.session.aget("anything")
        raise ZeroDivisionError

    visitor = laptop.twin(is_async=is_async)
    urls.view = aview if is_async else view
    with pytest.raises(ZeroDivisionError):
        visitor.get(visitor.path("run"))
    assert connection.execute_wrappers == []


def interrupted(laptop):
    """Cancel a request that has read its session."""

    async def view(request):
        await request.session.aget("anything")
        raise asyncio.CancelledError

    visitor = laptop.twin(is_async=True)
    urls.view = view
    with pytest.raises(asyncio.CancelledError):
        visitor.get(visitor.path("run"))


def replacing(laptop):
    """Request a page that replaces the session that it has read."""

    def view(request):
        request.session.get("anything")
        request.session = type(request.session)(request.session.session_key)
        assert request.user.is_authenticated

    urls.view = view
    laptop.get("/run/")


def streaming(laptop):
    """Request a page that reads its session while it is sent."""

    def body(request):
        yield str(request.session.get("anything"))

    urls.view = lambda request: StreamingHttpResponse(body(request))
    assert b"".join(laptop.get("/run/")) == b"None"


@pytest.mark.parametrize("scene", [interrupted, replacing, streaming])
def test_no_two_users_are_watched_at_once(ada, laptop, visit, scene):
    def view(request):
        request.session.get("anything")
        watching = [*connection.execute_wrappers]
        return len(watching), request.user.pk

    scene(laptop)
    scene(laptop)
    assert len(connection.execute_wrappers) == 1
    assert visit(view) == (1, ada.pk)
    assert connection.execute_wrappers == []


def test_a_stream_reads_a_user_who_was_changed(ada, visit):
    def body(request):
        request.session.get("anything")
        users(ada.pk).update(is_active=False)
        yield str(request.user.is_authenticated)

    visit(lambda request: StreamingHttpResponse(body(request)))
    assert b"".join(visit.response) == b"False"
    assert connection.execute_wrappers == []


def test_a_session_that_replaces_another_has_a_user(ada, visit):
    def view(request):
        request.session = type(request.session)(request.session.session_key)
        return request.user.pk

    assert visit(view) == ada.pk


# Sign-ins and sign-outs


def test_a_sign_in_as_another_user(ada, bob, visit):
    def view(request):
        request.session.get("anything")
        login(request, bob, backend=BACKEND)
        return request.user.pk, request.user is bob

    assert visit(view) == (bob.pk, True)
    assert visit(lambda request: request.user.pk) == bob.pk


def test_an_async_sign_in_as_another_user(ada, bob, visit):
    async def view(request):
        await request.session.aget("anything")
        await alogin(request, bob, backend=BACKEND)
        return (await request.auser()).pk

    async def who(request):
        return (await request.auser()).pk

    assert visit(view) == bob.pk
    assert visit(who) == bob.pk


def test_a_switch_that_only_writes_to_the_session(bob, visit):
    """The data of the session decide, as they are when the user is asked for."""

    def view(request):
        request.session["_auth_user_id"] = bob._meta.pk.value_to_string(bob)
        request.session["_auth_user_hash"] = bob.get_session_auth_hash()
        return request.user.pk

    assert visit(view) == bob.pk


def test_a_sign_out(visit):
    def view(request):
        request.session.get("anything")
        logout(request)
        return request.user

    assert isinstance(visit(view), AnonymousUser)
    assert visit(lambda request: request.user.pk) is None


def test_an_async_sign_out(visit):
    async def view(request):
        await request.session.aget("anything")
        await alogout(request)
        return request.user

    assert isinstance(visit(view), AnonymousUser)


@pytest.mark.parametrize("emptied", ["flush", "clear"])
def test_a_session_that_was_emptied(visit, emptied):
    def view(request):
        request.session.get("anything")
        getattr(request.session, emptied)()
        return request.user.is_authenticated

    assert visit(view) is False


def test_a_new_hash_in_the_session(ada, visit):
    def view(request):
        user = request.user
        user.set_password("a new one")
        user.save()
        update_session_auth_hash(request, user)
        return request.user is user

    assert visit(view) is True
    assert visit(lambda request: request.user.pk) == ada.pk


def test_a_user_id_that_other_code_has_changed(bob, visit, monkeypatch):
    """A user model need not have hashes that tell the users apart."""
    monkeypatch.setattr(get_user_model(), "get_session_auth_hash", lambda user: "same")

    def view(request):
        request.session["_auth_user_hash"] = "same"
        request.session["_auth_user_id"] = bob._meta.pk.value_to_string(bob)
        return request.user.pk

    assert visit(view) == bob.pk


def test_a_hash_that_other_code_has_changed(visit):
    def view(request):
        request.session["_auth_user_hash"] = "another"
        return request.user.is_authenticated

    assert visit(view) is False


def test_a_password_that_was_changed_before_the_request(ada, visit):
    users(ada.pk).update(password=make_password("another"))
    assert visit(lambda request: request.user.is_authenticated) is False


# The attributes of AuthenticationMiddleware


def test_the_user_stays_the_same_object(visit):
    def view(request):
        assert request.user._wrapped is None or request.user.pk
        return request.user._wrapped is request._cached_user is request._cached_user

    assert visit(view) is True


def test_the_async_user_stays_the_same_object(visit):
    async def view(request):
        user = await request.auser()
        return user is await request.auser() is request._acached_user

    assert visit(view) is True


def test_sync_and_async_code_have_an_instance_each(ada, visit):
    def read(request):
        return request.user._wrapped if request.user.pk else None

    async def view(request):
        return await request.auser(), await sync_to_async(read)(request)

    one, other = visit(view)
    assert one == other == ada
    assert one is not other


def test_a_cached_user_that_is_deleted_is_read_anew(visit):
    def view(request):
        first = request.user._wrapped if request.user.pk else None
        del request._cached_user
        with statements() as ran:
            second = get_user(request)
        return first == second, first is second, len(ran)

    assert visit(view) == (True, False, 1)


def test_a_cached_user_that_other_code_sets(ada, bob, visit):
    def view(request):
        request._cached_user = bob
        return request.user.pk

    async def aview(request):
        request._acached_user = bob
        return (await request.auser()).pk

    assert visit(view) == visit(aview) == bob.pk


def test_a_user_that_other_code_sets(bob, visit):
    def view(request):
        request.user = bob
        return request.user is bob

    async def aview(request):
        async def auser():
            return bob

        request.auser = auser
        return await request.auser() is bob

    assert visit(view) is visit(aview) is True


def test_a_user_that_is_deleted_from_the_request(visit):
    def view(request):
        del request.user
        del request.auser
        return hasattr(request, "user"), hasattr(request, "auser")

    assert visit(view) == (False, False)


def make_simple(request):
    """Remove what no code can copy from a request."""
    del request.META["wsgi.input"], request.META["wsgi.errors"], request._messages
    request._stream = request.resolver_match = None


COPIED = pytest.mark.skipif(
    "cache" in settings.ENGINE, reason="the engine keeps a cache, which has no copies"
)


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize(
    "duplicate", [copy.copy, pytest.param(copy.deepcopy, marks=COPIED)]
)
def test_copies_of_the_request(ada, visit, is_read, duplicate):
    def view(request):
        if is_read:
            assert request.user.pk
        else:
            request.session.get("anything")
        make_simple(request)
        one = duplicate(request)
        return [get_user(each).pk for each in (one, request, duplicate(one))]

    assert visit(view) == [ada.pk] * 3


@COPIED
@pytest.mark.parametrize("is_read", [False, True])
def test_a_pickle_of_the_request(ada, visit, is_read):
    def view(request):
        if is_read:
            assert request.user.pk
        else:
            request.session.get("anything")
        make_simple(request)
        del request.user, request.auser
        one = pickle.loads(pickle.dumps(request))  # noqa: S301
        return type(one).__module__, get_user(request).pk, vars(one).get("_cached_user")

    module, pk, cached = visit(view)
    assert module == "django.core.handlers.wsgi"
    assert (pk, cached) == (ada.pk, ada if is_read else None)


def test_a_receiver_that_reads_the_database(visit):
    """Django makes the instance in a thread, in which this receiver may run."""

    def receiver(instance, **kwargs):
        users(instance.pk).exists()

    async def view(request):
        await request.session.aget("anything")
        return (await request.auser()).is_authenticated

    post_init.connect(receiver, get_user_model())
    try:
        assert visit(view) is True
        assert visit(lambda request: request.user.is_authenticated) is True
    finally:
        post_init.disconnect(receiver, get_user_model())


def test_async_code_that_asks_for_the_sync_user(visit):
    async def view(request):
        try:
            return request.user.pk
        except SynchronousOnlyOperation:
            return "refused"

    assert visit(view) == "refused"
