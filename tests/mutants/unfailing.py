"""What must not fail a response although it failed: told or deleted after the fact."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EVERY = "interleavings/test_every_statement"

MUTANTS = [
    Mutant(
        "what cannot be told after the commit fails the request",
        "utils/after_commit.py::after_commit",
        old="transaction.on_commit(call, using",
        new="transaction.on_commit(functools.partial(function, *args), using",
        tests="test_after_commit",
        test="test_a_failure_is_logged",
    ),
    Mutant(
        "a skipped write hides that the transaction around it was lost",
        "registry/best_effort.py::BestEffort._guarded",
        old="            if connection.needs_rollback and not was_broken:\n"
        "                raise\n",
        new="",
        tests="stories/test_best_effort",
        test="test_a_failure_that_ends_the_transaction_around_it_is_raised",
    ),
    Mutant(
        "recording activity waits for a table",
        "registry/best_effort.py::_bounded_once_on_postgresql.bounded",
        old="execute(bound + sql, params",
        new="execute('SELECT 1; ' + sql, params",
        tests="stories/test_best_effort",
        test="test_a_table_that_is_locked",
        database="postgresql",
    ),
    Mutant(
        "a single statement is not retry_conflicts",
        "registry/transactions.py::one_statement",
        old="return retry_conflicts(lambda: function(using, *args, **kwargs))",
        new="return function(using, *args, **kwargs)",
        tests="interleavings/test_conflicts",
        test="test_the_renewal_of_a_play",
    ),
    Mutant(
        "the moment of a password change is recorded at the first attempt or never",
        "registry/credentials.py::note_password_changed",
        old="@one_statement\n",
        new="@lambda function: lambda user: function(registry_alias(), user)\n",
        tests="interleavings/test_conflicts",
        test="test_a_password_change",
    ),
    Mutant(
        "a choice that was made fails because it cannot be forgotten",
        "registry/pending.py::try_to_cancel",
        old="    CANCELLATIONS.attempt(cancel)\n",
        new="    cancel()\n",
        tests=EVERY,
        test="test_every_statement",
    ),
    Mutant(
        "a password change fails because the others cannot be ended at once",
        "registry/reauthentication.py::renewed",
        old="    CREDENTIALS.attempt(end_others)\n",
        new="    end_others()\n",
        tests=EVERY,
        test="test_every_statement",
    ),
]
