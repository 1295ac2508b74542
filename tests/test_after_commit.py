"""One function that fails after a commit does not keep the others from running."""

from __future__ import annotations

import functools

import pytest
from django.db import transaction

from session_limit.utils.after_commit import after_commit

pytestmark = pytest.mark.django_db(transaction=True)


def fail():
    raise ValueError("told nobody")


@pytest.mark.parametrize("function", [fail, functools.partial(fail)])
@pytest.mark.parametrize("is_in_transaction", [False, True])
def test_a_failure_is_logged(caplog, function, is_in_transaction):
    """
    Fails if ``on_commit()`` receives a partial, of which Django up to 6.0 logs the
    ``__qualname__``.
    """
    done = []
    if is_in_transaction:
        with transaction.atomic():
            after_commit("default", function)
            after_commit("default", done.append, 1)
            assert done == []
    else:
        after_commit("default", function)
        after_commit("default", done.append, 1)
    assert done == [1]
    assert "told nobody" in caplog.text
