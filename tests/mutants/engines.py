"""Breakages of what serves other packages' session engines."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TESTS = "stories/test_engines"

MUTANTS = [
    Mutant(
        "the keys of an engine are the package's",
        "store/engines.py::finds_keys_in_use",
        old="return is_plain_db(store) and issues_djangos_keys(store)",
        new="return is_plain_db(store)",
        tests=TESTS,
        test="test_each_new_key_has_the_engines_form",
    ),
    Mutant(
        "a key that an engine keeps is a stored one's",
        "store/loading.py::Loading.load",
        old="                engines.drop_unstored_key(self, presented)\n",
        new="                pass\n",
        tests=TESTS,
        test="test_the_displaced_person_is_told_why",
    ),
    Mutant(
        "an empty session that an engine stores in place of another stays",
        "store/engines.py::drop_unstored_key",
        old="        session.delete(session.session_key)\n",
        new="",
        tests=TESTS,
        test="test_nothing_is_stored_under_a_made_up_key",
    ),
    Mutant(
        "an empty session is not a stored one",
        "store/engines.py::drop_unstored_key",
        old="    elif exists(session, key):\n        return\n",
        new="",
        tests=TESTS,
        test="test_an_empty_stored_session_keeps_its_key",
    ),
    Mutant(
        "the gateway stores what it does not find",
        "store/engines.py::load",
        old="        drop_unstored_key(session, key)\n",
        new="        pass\n",
        tests=TESTS,
        test="test_a_made_up_key_at_the_gateway_stores_nothing",
    ),
    Mutant(
        "only keys that a row can record are known",
        "store/saving.py::Saving._sign_out_unread",
        old="engines.may_have_stored(key)",
        new="engines.storable(key)",
        tests=TESTS,
        test="test_signing_out_with_a_key_that_is_not_stored",
    ),
    Mutant(
        "only keys of letters and digits are recorded",
        "store/engines.py::storable",
        old="return key if _is_plain(key) else None",
        new="return key if key.isalnum() else None",
        tests=TESTS,
        test="test_an_ended_session_is_deleted_from_the_store",
    ),
    Mutant(
        "packages cache what the registry reads",
        "models/sessions.py::RegistryQuerySet.__init__",
        old="        self._for_write = True\n",
        new="",
        tests="test_registry_reads",
        test="test_no_read_is_one_that_packages_cache",
    ),
]
