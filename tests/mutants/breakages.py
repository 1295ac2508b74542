"""The breakages, by what they break. ``old`` occurs once in its file."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CAP = [
    Mutant(
        "a sign-in does not lock the account",
        "registry/admission.py",
        old="account = lock_account(user.pk, using)\n        limit =",
        new='account = type("A", (), {"limit": None})()\n        limit =',
        tests="interleavings/test_adoption",
        test="test_an_adoption_waits_for_a_sign_in",
        database="postgresql",
    ),
    Mutant(
        "an adoption does not lock the account",
        "registry/admission.py",
        old="account = lock_account(user.pk, using)\n        known =",
        new='account = type("A", (), {"limit": None})()\n        known =',
        tests="interleavings/test_adoption",
        test="test_a_sign_in_waits_for_an_adoption",
        database="mariadb",
    ),
    Mutant(
        "a sign-in reads what is live without a lock",
        "registry/locking.py",
        old="""
    rows = UserSession.objects.using(using).live().for_user(user)
    return list(rows.select_for_update().order_by("pk"))
""",
        new="""
    rows = UserSession.objects.using(using).live().for_user(user)
    return list(rows)
""",
        tests="interleavings/test_rotation",
        test="test_a_rotation_under_way_is_waited_for",
        database="postgresql",
    ),
    Mutant(
        "sessions are locked as they are found",
        "registry/locking.py",
        old=""".live().for_user(user)
    return list(rows.select_for_update().order_by("pk"))
""",
        new=""".live().for_user(user)
    return list(rows.select_for_update())
""",
        tests="interleavings/test_locks",
        test="test_ending_all_against_a_sign_in",
        database="postgresql",
    ),
    Mutant(
        "an ending reads what it ends without a lock",
        "registry/locking.py",
        old="""
        return list(rows.order_by("pk"))
    return list(rows.select_for_update().order_by("pk"))
""",
        new="""
        return list(rows.order_by("pk"))
    return list(rows.order_by("pk"))
""",
        tests="interleavings/test_locks",
        test="test_two_endings_of_one_session",
        database="postgresql",
    ),
    Mutant(
        "a sign-in decides on what its snapshot shows",
        "registry/locking.py",
        old='if ours and connection.vendor in {"postgresql", "mysql"}:',
        new='if ours and connection.vendor == "mysql":',
        tests="interleavings/test_locks",
        test="test_an_admission_sees_the_newest_under_repeatable_read",
        database="postgresql",
    ),
    Mutant(
        "first sign-ins of two accounts lock the same gap",
        "registry/locking.py",
        old='if ours and connection.vendor in {"postgresql", "mysql"}:',
        new='if ours and connection.vendor == "postgresql":',
        tests="interleavings/test_locks",
        test="test_two_first_sign_ins_under_repeatable_read",
        database="mariadb",
    ),
    Mutant(
        "a sign-in is not repeated after a deadlock",
        "registry/locking.py",
        old="ATTEMPTS = 3\n",
        new="ATTEMPTS = 1\n",
        tests="interleavings/test_locks",
        test="test_an_admission_repeated",
    ),
    Mutant(
        "a sign-in is repeated with the key that was rolled back",
        "registry/admission.py",
        old="        session._session_key = key\n",
        new="",
        tests="interleavings/test_locks",
        test="test_an_admission_repeated",
    ),
    Mutant(
        "a rotation records its key after storing it",
        "store/keys.py",
        old="""
        key = self._record_next_key()
        if self.guard.overtaken:
            return
        super().cycle_key()
        self._record_other_key(key)
""",
        new="""
        super().cycle_key()
        self._record_other_key(None)
""",
        tests="interleavings/test_rotation",
        test="test_a_rotation_waits_for_the_sign_in_that_displaces_it",
        database="postgresql",
    ),
    Mutant(
        "a scope is not counted by itself",
        "registry/admission.py",
        old="if row.takes_place_in(scope) and row is not own]",
        new="if row is not own]",
        tests="stories/test_two_browsers",
        test="test_one_phone_and_one_computer",
    ),
    Mutant(
        "an impersonation takes a place",
        "models.py",
        old="return self.counted and self.scope == scope",
        new="return self.scope == scope",
        tests="stories/test_doors",
        test="test_impersonation_takes_no_place_and_displaces_nobody",
    ),
    Mutant(
        "signing in again takes a second place",
        "registry/admission.py",
        old="own = next((row for row in live if row.pk == own_id), None)",
        new="own = None",
        tests="stories/test_two_browsers",
        test="test_signing_in_again_in_the_same_browser_takes_no_second_place",
    ),
    Mutant(
        "what has expired takes a place",
        "registry/admission.py",
        old="live = ghosts.end_due(live_rows(user, using), now, using)",
        new="live = live_rows(user, using)",
        tests="stories/test_stored",
        test="test_what_timed_out_does_not_count",
    ),
    Mutant(
        "a browser that lost its session keeps its own place from itself",
        "registry/admission.py",
        old="    live = ghosts.end_same_browser(live, presented_key, own_id, using)\n",
        new="",
        tests="stories/test_stored",
        test="test_who_lost_the_stored_session_may_sign_in_again_under_deny",
    ),
    Mutant(
        "what is gone from the store takes a place",
        "registry/admission.py",
        old="        rivals = ghosts.end_gone(rivals, user, account, now, using)\n",
        new="",
        tests="stories/test_stored",
        test="test_what_is_gone_from_the_store_holds_no_place",
    ),
]

FINALITY = [
    Mutant(
        "an id is trusted whose key is not recorded",
        "store/loading.py",
        old="            row = verify.read(id) if id is not None else None\n",
        new="            return data\n",
        tests="interleavings/test_rotation",
        test="test_six_parallel_rotations_then_displaced",
    ),
    Mutant(
        "a direct reader is told by the row alone",
        "registry/credentials.py",
        old="if user is None or not verifies(session.get(",
        new="if user is None or None is (session.get(",
        tests="test_verify",
        test="test_a_password_changed_elsewhere_is_nobodys",
    ),
    Mutant(
        "a signed cookie from before an ending is adopted",
        "registry/admission.py",
        old="if decision.admitted and not is_copy:",
        new="if decision.admitted:",
        tests="interleavings/test_engines",
        test="test_a_signed_cookie_from_before_installation",
    ),
    Mutant(
        "a signed cookie lives as long as its signature",
        "store/loading.py",
        old="return not is_own or stored.is_cookie(self.engine)",
        new="return not is_own",
        tests="interleavings/test_engines",
        test="test_a_signed_cookie_expires_when_it_should",
    ),
    Mutant(
        "an id is not compared with that of its key's row",
        "store/loading.py",
        old="if row is None or row.id.hex != data[stored.ID]:",
        new="if row is None:",
        tests="stories/test_hostile",
        test="test_the_id_of_somebody_elses_session_is_nobody",
    ),
    Mutant(
        "a row is taken for whoever bears its id",
        "store/loading.py",
        old=" or not row.belongs_to(data[SESSION_KEY]):",
        new=":",
        tests="stories/test_hostile",
        test="test_the_id_of_somebody_elses_session_is_nobody",
    ),
    Mutant(
        "an id without a row is adopted",
        "store/loading.py",
        old="        if row is None or row.ended_at or",
        new="        if row is None:\n"
        "            return self._adopted(data)\n"
        "        if row.ended_at or",
        tests="stories/test_answers",
        test="test_an_id_of_one_that_ended_long_ago_is_never_adopted",
    ),
    Mutant(
        "a process remembers what was live",
        "verify.py",
        old="def read(id: UUID) -> Row | None:",
        new="@functools.cache\ndef read(id: UUID) -> Row | None:",
        tests="interleavings/test_rotation",
        test="test_six_parallel_rotations_then_displaced",
    ),
    Mutant(
        "a rotated key is not recorded",
        "store/keys.py",
        old="if registry.rekey(guard.row.id, key):",
        new="if key:",
        tests="interleavings/test_rotation",
        test="test_displaced_after_a_rotation",
    ),
    Mutant(
        "a sign-in gives its session no key",
        "registry/admission.py",
        old="    if session.session_key is None:\n        session.create()\n",
        new="",
        tests="interleavings/test_saving",
        test="test_displaced_after_a_user_switch_and_before_its_response",
    ),
    Mutant(
        "what is stored stays when it has ended",
        "registry/ending.py",
        old="    stored.delete(keys, using)\n",
        new="",
        tests="stories/test_two_browsers",
        test="test_the_second_sign_in_displaces_the_first",
    ),
    Mutant(
        "an ended row keeps its key",
        "registry/ending.py",
        old='        "session_key": None,\n',
        new="",
        tests="stories/test_two_browsers",
        test="test_the_second_sign_in_displaces_the_first",
    ),
    Mutant(
        "flush() ends nothing",
        "store/saving.py",
        old="        registry.end_row(row.id, reason)\n",
        new="",
        tests="stories/test_stored",
        test="test_flush_ends_the_session",
    ),
    Mutant(
        "clear() is not noticed",
        "store/saving.py",
        old="            self.guard.cleared_unread = self.session_key is not None\n",
        new="            pass\n",
        tests="stories/test_stored",
        test="test_clear_ends_the_session",
    ),
    Mutant(
        "an id that code has overwritten is not put back",
        "store/saving.py",
        old="            data[stored.ID] = guard.row.id.hex\n",
        new="            pass\n",
        tests="stories/test_stored",
        test="test_the_id_is_put_back_where_code_loses_it",
    ),
    Mutant(
        "an account that was disabled stays signed in",
        "receivers.py",
        old="    if not instance.is_active and not _may_sign_in(instance):",
        new="    if not instance.is_active and _may_sign_in(instance):",
        tests="stories/test_credentials",
        test="test_an_account_disabled_by_save",
    ),
]

INNOCENT = [
    Mutant(
        "parallel first requests are adopted one by one",
        "registry/admission.py",
        old="        if known is not None and known.user_id == user.pk:",
        new="        if not sign_in.adopted:",
        tests="interleavings/test_adoption",
        test="test_six_parallel_first_requests",
    ),
    Mutant(
        "an adoption displaces others",
        "registry/admission.py",
        old="""
        end_locked([entered], reason, using)
        return None
""",
        new="""
        end_locked(rivals, reason, using)
        return Row.of(entered)
""",
        tests="stories/test_doors",
        test="test_keys_set_by_hand_displace_nobody",
    ),
    Mutant(
        "a browser displaced while it signs in keeps the dead key",
        "registry/admission.py",
        old="            sign_in.session._session_key = None\n",
        new="            pass\n",
        tests="interleavings/test_saving",
        test="test_displaced_while_signing_in_again",
    ),
    Mutant(
        "a rotation that was rolled back ends its session",
        "response_phase.py",
        old="    elif row.session_key != key:",
        new="    elif row.session_key == '':",
        tests="interleavings/test_rotation",
        test="test_a_rotation_that_is_rolled_back_ends_nothing",
    ),
    Mutant(
        "an error of the database ends a session",
        "response_phase.py",
        old="    elif not stored.exists(session, key):",
        new="    else:",
        tests="interleavings/test_saving",
        test="test_a_save_that_the_database_gives_up_on_ends_nothing",
    ),
    Mutant(
        "an old copy ends the session that went on without it",
        "store/saving.py",
        old="if not registry.goes_by(row.id, session_hash):",
        new="if False:",
        tests="interleavings/test_engines",
        test="test_an_old_copy_ends_no_newer_one",
    ),
    Mutant(
        "an adoption that was rolled back ends its session",
        "response_phase.py",
        old="if guard.adopted or stored.is_cookie(engine):",
        new="if stored.is_cookie(engine):",
        tests="interleavings/test_rollback",
        test="test_an_adoption",
    ),
    Mutant(
        "a session expires early",
        "verify.py",
        old="return self.expires_at + self.touch_interval <= now",
        new="return self.expires_at <= now",
        tests="stories/test_stored",
        test="test_an_idle_timeout_is_never_early_and_at_most_one_touch_late",
    ),
    Mutant(
        "the salt of signed sessions is another",
        "store/__init__.py",
        old='"__qualname__": engine.__qualname__}',
        new='"__qualname__": "Guarded"}',
        tests="stories/test_installation",
        test="test_the_package_taken_out_again",
    ),
    Mutant(
        "two browsers that sign in by themselves displace each other for ever",
        "state.py",
        old="        if not by_itself:\n",
        new="        if by_itself or not by_itself:\n",
        tests="interleavings/test_answers",
        test="test_two_browsers_that_sign_in_by_themselves",
    ),
    Mutant(
        "a poll takes the cookie away",
        "response_phase.py",
        old="if not writes and not (is_unknown and navigation.is_acted_on(request)):",
        new="if False:",
        tests="interleavings/test_answers",
        test="test_a_late_poll_leaves_the_cookie",
    ),
]

ANSWERS = [
    Mutant(
        "nothing is saved in the response phase",
        "response_phase.py",
        old="        _save(session)\n",
        new="        pass\n",
        tests="interleavings/test_saving",
        test="test_displaced_before_what_the_view_wrote_is_saved",
    ),
    Mutant(
        "a refusal leaves the user on the request",
        "receivers.py",
        old="    make_anonymous(request)\n    if",
        new="    if",
        tests="interleavings/test_refusal",
        test="test_the_request_is_nobodys",
    ),
    Mutant(
        "the exception alone decides on the answer to a refusal",
        "response_phase.py",
        old="    if guard.refusal is not None:",
        new="    if guard.refusal is not None and response.status_code == 403:",
        tests="interleavings/test_refusal",
        test="test_swallowed",
    ),
    Mutant(
        "a refusal forgets whose cookie it was",
        "response_phase.py",
        old="    session.restore_anonymous()\n",
        new="",
        tests="interleavings/test_refusal",
        test="test_a_second_tab_refused_takes_no_cookie_away",
    ),
    Mutant(
        "a database that gives up on a sign-in is a 500",
        "response_phase.py",
        old="    return responses.retry()\n",
        new="    return None\n",
        tests="interleavings/test_locks",
        test="test_a_snapshot_that_is_too_old",
        database="postgresql",
    ),
    Mutant(
        "what is let be is saved all the same",
        "store/base.py",
        old="return self.guard.inert or super().is_empty()",
        new="return super().is_empty()",
        tests="interleavings/test_rollback",
        test="test_saving_every_request",
    ),
    Mutant(
        "whose session ended under it takes another tab's cookie away",
        "response_phase.py",
        old="        session.let_be()\n        make_anonymous(request)\n",
        new="        make_anonymous(request)\n",
        tests="interleavings/test_saving",
        test="test_displaced_before_what_the_view_wrote_is_saved",
    ),
    Mutant(
        "the first reason does not stand",
        "registry/ending.py",
        old="rows = UserSession.objects.using(using).live_with_id(id)",
        new="rows = UserSession.objects.using(using).filter(pk=id)",
        tests="interleavings/test_rotation",
        test="test_a_sign_out_overtaken",
    ),
    Mutant(
        "a changed password is not noted",
        "receivers.py",
        old="        registry.note_password_changed(instance)\n",
        new="        pass\n",
        tests="stories/test_credentials",
        test="test_a_password_changed_elsewhere",
    ),
    Mutant(
        "what is written after an ending forgets the reason",
        "store/saving.py",
        old="                data[stored.ENDED_ID] = guard.ended_id.hex\n",
        new="                pass\n",
        tests="stories/test_answers",
        test="test_what_an_ended_visitor_writes_is_kept_and_so_is_the_reason",
    ),
    Mutant(
        "listeners hear before the commit",
        "registry/ending.py",
        old="    transaction.on_commit(\n"
        "        functools.partial(_tell_ended, rows), using=using, robust=True\n"
        "    )\n",
        new="    _tell_ended(rows)\n",
        tests="test_audit",
        test="test_listeners_hear_after_the_commit",
    ),
    Mutant(
        "the way back leads anywhere",
        "navigation.py",
        old="    if not is_ours:",
        new="    if not url:",
        tests="stories/test_answers",
        test="test_the_way_back_never_leads_elsewhere",
    ),
    Mutant(
        "any token chooses for any browser",
        "choice.py",
        old=", salt=SALT) == id.hex)",
        new=", salt=SALT))",
        tests="stories/test_doors",
        test="test_the_form_of_one_browser_is_of_no_use_to_another",
    ),
]

COST = [
    Mutant(
        "activity is written with every request",
        "verify.py",
        old="return now - self.last_active_at >= self.touch_interval",
        new="return True",
        tests="test_counts",
        test="test_an_authenticated_page_writes_nothing",
    ),
    Mutant(
        "a session is saved twice",
        "store/saving.py",
        old="        return guard.saved is not None and guard.saved == self._state()\n",
        new="        return False\n",
        tests="interleavings/test_saving",
        test="test_saving_in_the_response_phase_costs_nothing",
    ),
]

MUTANTS = [*CAP, *FINALITY, *INNOCENT, *ANSWERS, *COST]
