"""Breakages of copies of a session, and of what audit libraries see."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

COPIES = "stories/test_copies"
GUARDED = "store/guarded.py::GuardedSession"
COPIED = "utils/guarded_classes.py::GuardedCopies"

MUTANTS = [
    Mutant(
        "a copy is not guarded",
        f"{GUARDED}._guard",
        "copied.__class__ = type(self)",
        "pass",
        COPIES,
        "test_a_copy_of_an_ended_session_is_nobody",
    ),
    Mutant(
        "a copy refers to the request",
        f"{GUARDED}._plain",
        '("session_limit_state", "session_limit_origin")',
        '("session_limit_origin",)',
        COPIES,
        "test_a_pickle_holds_the_engines_own_session",
    ),
    Mutant(
        "a loaded copy does not know its row",
        f"{GUARDED}._guard",
        "guarded.session_limit_state.found = state.found",
        "pass",
        COPIES,
        "test_a_copy_that_takes_the_sessions_place_can_sign_out",
    ),
    Mutant(
        "a pickle names the guarded class",
        f"{COPIED}.__reduce_ex__",
        "self._plain().__reduce_ex__(min(int(protocol), 1))",
        "self._plain().__reduce_ex__(protocol)",
        COPIES,
        "test_a_pickle_holds_the_engines_own_session",
    ),
    Mutant(
        "a deep copy shares the data",
        f"{COPIED}.__deepcopy__",
        "copy.deepcopy(self._plain(), memo)",
        "copy.copy(self._plain())",
        COPIES,
        "test_a_copy_has_the_data_of_its_session",
    ),
    Mutant(
        "a signal passes on the key of a new session",
        "registry/sign_ins.py::record",
        'sql.insert(row, using, computed="key_recorded_at"))',
        "); row.save(using=using, force_insert=True)",
        COPIES,
        "test_no_signal_passes_a_live_key_on",
    ),
    Mutant(
        "a signal passes on the key of a browser that signs in again",
        "registry/sign_ins.py::enter",
        "sql.execute(using, *before, sql.update([own], changes, using))",
        "own.save(using=using, update_fields=list(changes))",
        COPIES,
        "test_no_signal_passes_a_live_key_on",
    ),
]
