"""Employees are in the user model, and customers in a table of their own."""

from __future__ import annotations

import django
import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.db import connection

from session_limit import checks
from session_limit.models import AccountLimit, UserSession
from session_limit.store import users
from tests import stores
from tests.stories.people import live, reasons, set_cookie, statements
from tests.tables.models import Customer, Employee

PASSWORD = "correct horse"
Reason = UserSession.Reason


@pytest.fixture
def ada():
    return Employee.objects.create_user("ada", PASSWORD)


@pytest.fixture
def cid(ada):
    """Return a customer with ada's primary key."""
    cid = Customer(pk=ada.pk, email="cid")
    cid.set_password(PASSWORD)
    cid.save()
    return cid


def who(visitor):
    return visitor.get("/whoami/").json()


@pytest.fixture(params=["displace", "deny", "ask"])
def policy(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param


@pytest.mark.usefixtures("policy")
def test_a_customer_is_another_person(ada, cid, laptop, phone):
    """Fails if a customer's sign-in takes the place of the employee with that key."""
    laptop.sign_in("ada")
    [row] = live()
    assert phone.sign_in("cid").status_code == 200
    assert live() == [row]
    assert phone.open().status_code == laptop.open().status_code == 200
    told = who(phone)
    assert told["model"] == "tables.Customer"
    assert (told["current"], told["ended"], told["cart"]) == (None, False, "tea")


@pytest.mark.usefixtures("policy")
def test_customers_have_no_limit(cid, laptop, phone):
    laptop.sign_in("cid")
    phone.sign_in("cid")
    assert laptop.open().status_code == phone.open().status_code == 200
    assert not UserSession.objects.exists()
    assert not AccountLimit.objects.exists()


def test_a_customer_whose_key_no_employee_has(laptop):
    Customer.objects.create_user("eve", PASSWORD, pk=999)
    assert laptop.sign_in("eve").status_code == 200
    assert laptop.open().status_code == 200


def test_a_page_of_a_customer_costs_no_more_than_without_the_package(cid, laptop):
    """Fails if each page reads the user to find out that it is a customer."""
    laptop.sign_in("cid")
    with statements() as ran:
        assert laptop.open().status_code == 200
    reads = 1 if stores.is_cookie() or "cache" in str(stores.engine()) else 2
    assert len(ran) <= reads, ran


def test_a_customers_session_from_before_the_package(cid, laptop):
    """Fails if such a session is adopted, or read anew by each page."""
    laptop.sign_in("cid")
    data = laptop.stored
    del data[users.OTHER_USER]
    laptop.stored = data
    assert laptop.open().status_code == 200
    assert not UserSession.objects.exists()
    if not stores.is_cookie():
        assert users.is_left_alone(laptop.stored)


def test_an_employee_without_a_row_is_adopted_after_a_customer(ada, cid, laptop, phone):
    """Other code changes the user by hand. Fails if the mark outlives its user."""
    laptop.sign_in("cid")
    phone.sign_in("ada")
    data = laptop.stored
    assert users.OTHER_USER in data
    laptop.stored = data | {k: v for k, v in phone.stored.items() if "auth" in k}
    UserSession.objects.all().delete()
    assert laptop.open().status_code == 200
    assert len(live(ada)) == 1


def test_from_an_employee_to_a_customer_and_back(ada, cid, laptop):
    laptop.sign_in("ada")
    laptop.sign_in("cid")
    assert who(laptop)["model"] == "tables.Customer"
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
    laptop.sign_in("ada")
    assert who(laptop)["model"] == "tables.Employee"
    assert len(live(ada)) == 1
    laptop.sign_in("cid")
    laptop.sign_out()
    assert laptop.open().status_code == 403
    assert live() == []


def test_a_refused_employee_leaves_the_customer_signed_in(
    ada, cid, laptop, phone, settings
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in("ada")
    phone.sign_in("cid")
    stored, cookie = phone.stored, phone.cookie
    response = phone.sign_in("ada")
    assert response.status_code == 403
    assert set_cookie(response) is None
    assert (phone.stored, phone.cookie) == (stored, cookie)
    assert who(phone)["model"] == "tables.Customer"


@pytest.mark.skipif(django.VERSION >= (6, 1), reason="login() demands the hashes")
def test_without_session_hashes_login_keeps_the_session(ada, cid, laptop, monkeypatch):
    """
    ``login()`` does not flush the session then, since the two have one primary key.
    Fails if the customer goes on in the employee's session.
    """
    monkeypatch.delattr(AbstractBaseUser, "get_session_auth_hash")
    laptop.sign_in("ada")
    data = laptop.stored
    laptop.sign_in("cid")
    assert data[SESSION_KEY] == laptop.stored[SESSION_KEY]
    assert live() == []
    assert "_session_limit_id" not in laptop.stored


def test_a_customer_who_is_disabled_ends_nobody_elses_session(ada, cid, laptop):
    laptop.sign_in("ada")
    cid.is_active = False
    cid.set_password("new")
    cid.save()
    cid.delete()
    assert laptop.open().status_code == 200


def test_an_employee_who_is_disabled_although_a_customer_has_the_key(ada, cid, laptop):
    laptop.sign_in("ada")
    ada.is_active = False
    ada.save()
    assert reasons() == [Reason.ACCOUNT_DISABLED]


def test_a_token_for_a_customer_in_the_browser_of_an_employee(ada, cid, laptop, rf):
    laptop.sign_in("ada")
    request = rf.get("/")
    request.session = stores.engine()(laptop.cookie)
    assert request.session[SESSION_KEY] == str(cid.pk)
    [row] = live()
    user_logged_in.send(Customer, request=request, user=cid)
    assert live() == [row]


def test_it_is_logged_once(cid, laptop, phone, caplog):
    users._log_other.cache_clear()
    laptop.sign_in("cid")
    phone.sign_in("cid")
    said = [each for each in caplog.messages if "tests.tables.models.Customer" in each]
    assert len(said) == 1


def ids():
    return [message.id for message in checks.users.check_users()]


def test_a_check_warns_about_it(settings):
    assert ids() == ["session_limit.W203"]
    [message] = checks.users.check_users()
    assert "tables.Customer" in message.msg
    assert "tables.Person" not in message.msg


def test_the_check_needs_a_backend_of_the_projects_own(settings):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    assert ids() == []


def test_deleting_other_models_stays_fast(ada):
    """Fails if a receiver for all models makes Django load what it deletes."""
    with statements() as ran:
        AccountLimit.objects.all().delete()
    assert [sql.split()[0] for sql in ran] == ["DELETE"], connection.vendor
