"""What makes the database give up, and what then becomes of it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

REPEATING = [
    Mutant(
        "a conflict is repeated twice only",
        "registry/transactions.py",
        old="ATTEMPTS = 10\n",
        new="ATTEMPTS = 3\n",
        tests="interleavings/test_conflicts",
        test="test_a_sign_in_in_our_own_transaction",
    ),
    Mutant(
        "a conflict is repeated at once",
        "registry/transactions.py::retry_conflicts",
        old="time.sleep(random.uniform(*PAUSE))",
        new="pass",
        tests="interleavings/test_conflicts",
        test="test_pauses_and_attempts_are_bounded",
    ),
    Mutant(
        "a wait that was long is begun again",
        "registry/transactions.py::retry_conflicts",
        old=" or time.monotonic() > give_up_at",
        new="",
        tests="interleavings/test_conflicts",
        test="test_a_long_wait_is_not_begun_again",
    ),
    Mutant(
        "a part of the caller's transaction is retry_conflicts",
        "registry/transactions.py::retry_conflicts",
        old="    if connection.connection is not None and not connection.autocommit:\n",
        new="    if False:\n",
        tests="interleavings/test_conflicts",
        test="test_a_part_of_the_callers_transaction_is_not_repeated",
    ),
    Mutant(
        "an error of Django's db engine hides a conflict",
        "registry/transactions.py::is_retryable",
        old="        error = error.__context__\n",
        new="        return False\n",
        tests="interleavings/test_conflicts",
        test="test_the_save_of_the_response",
    ),
    Mutant(
        "the response's save is not retry_conflicts",
        "store/response_saving.py::save",
        old="retry_conflicts(session.save_for_response)",
        new="session.save_for_response()",
        tests="interleavings/test_conflicts",
        test="test_the_save_of_the_response",
    ),
    Mutant(
        "what waits for a choice is not written again",
        "registry/pending.py::create_pending",
        old="return _record(browser, facts)",
        new="return _record.__wrapped__(registry_alias(), browser, facts)",
        tests="interleavings/test_conflicts",
        test="test_what_waits_is_written_again",
    ),
]

OTHERS_TRANSACTIONS = [
    Mutant(
        "a transaction that the caller manages is taken for ours: PostgreSQL",
        "registry/transactions.py::transactional.attempt",
        old="is_ours = connection.get_autocommit()",
        new="is_ours = not connection.in_atomic_block",
        tests="interleavings/test_transactions",
        test="test_with_autocommit_off",
        database="postgresql",
    ),
    Mutant(
        "a transaction that the caller manages is taken for ours: MariaDB",
        "registry/transactions.py::transactional.attempt",
        old="is_ours = connection.get_autocommit()",
        new="is_ours = not connection.in_atomic_block",
        tests="interleavings/test_transactions",
        test="test_with_autocommit_off",
        database="mariadb",
    ),
    Mutant(
        "stopping a play waits for a commit without a transaction",
        "registry/leases.py::stop_play",
        old="@transactional\n",
        new="@one_statement\n",
        tests="interleavings/test_transactions",
        test="test_stopping_a_play_with_autocommit_off",
    ),
]

DURABILITY = [
    Mutant(
        "an ending is acknowledged before it is safe",
        "registry/transactions.py::_begin",
        old="and not _chooses_durability(connection):",
        new="and False:",
        tests="interleavings/test_transactions",
        test="test_our_commits_are_durable",
        database="postgresql",
    ),
    Mutant(
        "a failover brings an acknowledged ending back",
        "registry/transactions.py::_begin",
        old="and not _chooses_durability(connection):",
        new="and False:",
        tests="clusters/test_postgresql",
        test="test_a_failover",
    ),
    Mutant(
        "a crash brings an acknowledged ending back",
        "registry/transactions.py::_begin",
        old="and not _chooses_durability(connection):",
        new="and False:",
        tests="clusters/test_postgresql",
        test="test_a_crash",
    ),
    Mutant(
        "the project's own synchronous_commit is overruled",
        "registry/transactions.py::_chooses_durability",
        old='    return "synchronous_commit" in options\n',
        new="    return False\n",
        tests="interleavings/test_transactions",
        test="test_a_project_that_sets_it_in_its_options",
        database="postgresql",
    ),
    Mutant(
        "a stronger synchronous_commit is weakened",
        "registry/transactions.py",
        old="""
    " WHERE current_setting('synchronous_commit', true)"
    " IN ('off', 'local', 'remote_write')"
""",
        new="",
        tests="interleavings/test_transactions",
        test="test_our_commits_are_durable",
        database="postgresql",
    ),
    Mutant(
        "any wsrep_sync_wait will do for reads",
        "checks/databases.py::_may_read_late",
        old='not int(found["wsrep_sync_wait"]) & 1',
        new='not int(found["wsrep_sync_wait"])',
        tests="test_checks",
        test="test_galera",
    ),
    Mutant(
        "local counts as a safe commit",
        "checks/databases.py::_check_server",
        old='if durability in {"off", "local"}:',
        new='if durability in {"off"}:',
        tests="test_checks",
        test="test_synchronous_commit",
    ),
    Mutant(
        "a database that is away makes a check fail",
        "checks/databases.py::check_servers",
        old="except (DatabaseError, ImproperlyConfigured):",
        new="except ImproperlyConfigured:",
        tests="test_checks",
        test="test_a_server_that_does_not_answer",
    ),
    Mutant(
        "a check connects without being asked to",
        "checks/databases.py::check_servers",
        old="databases is None or alias not in databases or alias not in connections",
        new="alias not in connections",
        tests="test_checks",
        test="test_servers_are_asked_when_django_lets_checks_connect",
    ),
]

ANSWERS = [
    Mutant(
        "a conflict at COMMIT of a sign-in is a 500",
        "store/database_conflicts.py::concerns_us",
        old="        or (state is not None and _changed_user(state.sign_in))\n",
        new="",
        tests="interleavings/test_conflicts",
        test="test_a_sign_in_in_the_views_transaction",
    ),
    Mutant(
        "a conflict in our code, in a project's view, is a 500",
        "store/database_conflicts.py::_passed_through_us",
        old='if module.partition(".")[0] == PACKAGE:',
        new="if False:",
        tests="interleavings/test_conflicts",
        test="test_our_code_in_a_view_of_the_projects",
    ),
    Mutant(
        "a conflict in Django's part of signing in again is a 500",
        "store/database_conflicts.py::_passed_through_us",
        old="        if module == auth.__name__ and frame.f_code.co_name in _AUTH:\n",
        new="        if False:\n",
        tests="interleavings/test_conflicts",
        test="test_signing_in_again_in_the_views_transaction",
    ),
    Mutant(
        "a conflict on our own page is a 500",
        "store/database_conflicts.py::concerns_us",
        old="        links.is_ours(request)\n        or",
        new="        False or",
        tests="interleavings/test_conflicts",
        test="test_an_ending_on_our_own_page",
    ),
    Mutant(
        "a project's own conflict is answered 503",
        "store/database_conflicts.py::concerns_us",
        old="    state = state_of(request)\n    return (\n",
        new="    state = state_of(request)\n    return True or (\n",
        tests="interleavings/test_conflicts",
        test="test_a_view_that_is_none_of_our_concern",
    ),
    Mutant(
        "a conflict in the response phase is a 500",
        "store/response_phase.py::finish",
        old="raise\n        return database_conflicts.retry(request, response)",
        new="            raise\n        raise\n",
        tests="interleavings/test_conflicts",
        test="test_what_waits_cannot_be_written",
    ),
    Mutant(
        "a conflict in a middleware that signs in is a 500",
        "receivers.py::request_failed",
        old="        state.in_conflict = True\n",
        new="        pass\n",
        tests="interleavings/test_conflicts",
        test="test_a_sign_in_in_a_middleware",
    ),
    Mutant(
        "the browser gets the token of a sign-in that failed",
        "store/database_conflicts.py::retry",
        old='    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False\n',
        new="",
        tests="interleavings/test_conflicts",
        test="test_the_same_form_can_be_sent_again",
    ),
    Mutant(
        "a sign-in that failed takes the cart with it",
        "store/base.py::Base.give_up",
        old="copies.values(before.loaded) if before else {**sign_in.loaded}",
        new="{}",
        tests="interleavings/test_conflicts",
        test="test_a_sign_in_whose_last_login_is_not_written",
    ),
    Mutant(
        "a sign-in whose cookie nobody got keeps its place",
        "store/base.py::Base.give_up",
        old="end_row(row.id, UserSession.Reason.SIGNED_OUT)",
        new="pass",
        tests="stories/test_one_request",
        test="test_a_view_that_fails_after_signing_in",
    ),
]

MUTANTS = [*REPEATING, *OTHERS_TRANSACTIONS, *DURABILITY, *ANSWERS]
