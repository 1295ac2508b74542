import pytest
from django.conf import settings
from django.db import router
from django.test import TransactionTestCase

from session_limit.testing import LAPTOP, PHONE
from tests import stores
from tests.stories.people import Visitor

# test_tables.py runs with the suite's settings, and the other tests with their own.
IS_INSIDE = "tests.tables" in settings.INSTALLED_APPS


def pytest_collection_modifyitems(items):
    """Make every test of these projects commit its transactions, as a site does."""
    if IS_INSIDE:
        for item in items:
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(params=["sync", "async"])
def served(request):
    """Run the test once with sync requests and once with async ones."""
    return request.param


@pytest.fixture
def laptop(served):
    return Visitor(LAPTOP, is_async=served == "async")


@pytest.fixture
def phone(served):
    return Visitor(PHONE, is_async=served == "async")


if IS_INSIDE:

    @pytest.fixture(scope="session", autouse=True)
    def emptied():
        """Empty the tables that tests write to, children before their parents."""
        from session_limit.models import AccountLimit, PendingSignIn, Play, UserSession
        from tests.tables.models import (
            Contractor,
            Customer,
            Employee,
            Person,
            Plain,
        )
        from tests.tables.models import (
            Visitor as OtherPerson,
        )

        store = stores.engine()
        stored = [store.get_model_class()] if hasattr(store, "get_model_class") else []
        users = (Contractor, Employee, OtherPerson, Person, Customer, Plain)

        def empty(test_case):
            ours = (PendingSignIn, Play, UserSession, AccountLimit)
            for model in (*ours, *stored, *users):
                using = router.db_for_write(model)
                model._base_manager.using(using).all()._raw_delete(using)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
            yield
