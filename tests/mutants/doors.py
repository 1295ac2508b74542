"""Breakages at the doors: addresses and keys of a client, sign-ins that come late."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ADDRESSES = "stories/test_addresses_of_a_client"
KEYS = "stories/test_made_up_keys"
STREAMING = "stories/test_streaming"
LOG = "stories/test_request_log"

MUTANTS = [
    Mutant(
        "the way back leads anywhere",
        "utils/safe_redirects.py::local_address",
        old="""    if _UNUSABLE.search(url) or not url_has_allowed_host_and_scheme(
        url, allowed_hosts=_hosts(request), require_https=request.is_secure()
    ):
""",
        new="    if not url:\n",
        tests="stories/test_answers",
        test="test_the_way_back_never_leads_elsewhere",
    ),
    Mutant(
        "an address of this host may name another once its host is taken off",
        "utils/safe_redirects.py::local_address",
        old=" or _LEADS_AWAY.match(unquote(target.path)):",
        new=":",
        tests="test_safe_redirects",
        test="test_what_leads_elsewhere_is_refused",
    ),
    Mutant(
        "an encoded slash is taken for part of a name",
        "utils/safe_redirects.py::local_address",
        old="_LEADS_AWAY.match(unquote(target.path))",
        new="_LEADS_AWAY.match(target.path)",
        tests="test_safe_redirects",
        test="test_what_leads_elsewhere_is_refused",
    ),
    Mutant(
        "control characters pass",
        "utils/safe_redirects.py::local_address",
        old="    if _UNUSABLE.search(url) or not url",
        new="    if not url",
        tests="test_safe_redirects",
        test="test_what_leads_elsewhere_is_refused",
    ),
    Mutant(
        "an address is as long as the client likes",
        "utils/safe_redirects.py::local_address",
        old="LocalAddress(address) if len(address) <= MAX_LENGTH else None",
        new="LocalAddress(address)",
        tests="test_safe_redirects",
        test="test_what_leads_elsewhere_is_refused",
    ),
    Mutant(
        "what the browser gets is not encoded",
        "utils/safe_redirects.py::local_address",
        old="address = iri_to_uri(target.geturl())",
        new="address = target.geturl()",
        tests="test_safe_redirects",
        test="test_what_is_local_stays",
    ),
    Mutant(
        "the request's own path is trusted",
        "utils/safe_redirects.py::own_address",
        old="return local_address(request, request.get_full_path())",
        new="return LocalAddress(request.get_full_path())",
        tests=ADDRESSES,
        test="test_the_path_asked_for",
    ),
    Mutant(
        "what a pending sign-in has stored is trusted",
        "views/choose.py::ChooseView._signed_in",
        old="url = after_sign_in.stored_address(request, pending.next)",
        new='url = pending.next or "/"',
        tests=ADDRESSES,
        test="test_what_was_stored_is_looked_at_again",
    ),
    Mutant(
        "the redirect of other code is trusted",
        "pages/barriers.py::sign_in_page_for",
        old="    if is_known and all(local_address(request, url) for url in onward):\n",
        new="    if location:\n",
        tests=ADDRESSES,
        test="test_the_redirect_of_other_code",
    ),
    Mutant(
        "what other code leads on to is trusted",
        "pages/barriers.py::sign_in_page_for",
        old="    if is_known and all(local_address(request, url) for url in onward):\n",
        new="    if is_known:\n",
        tests=ADDRESSES,
        test="test_the_redirect_of_other_code",
    ),
    Mutant(
        "a made-up key becomes a session's",
        "store/base.py::Base.restore_before_login",
        old="if presented_key == state.loaded_key:",
        new="if data:",
        tests=KEYS,
        test="test_a_refused_sign_in_stores_under_a_new_key",
    ),
    Mutant(
        "a refused browser always gets another key",
        "store/base.py::Base.restore_before_login",
        old="if presented_key == state.loaded_key:",
        new="if False:",
        tests=KEYS,
        test="test_a_key_that_was_loaded_is_kept",
    ),
    Mutant(
        "a session that is emptied unread keeps a made-up key",
        "store/saving.py::Saving._sync_id",
        old="                self._session_key = None\n            id =",
        new="                state.loaded_key = self.session_key\n            id =",
        tests=KEYS,
        test="test_a_session_that_is_emptied_unread",
    ),
    Mutant(
        "a key that no database takes is asked for",
        "store/guarded.py::install",
        old="or engines.may_hold(engine, key)",
        new="or True",
        tests=KEYS,
        test="test_what_else_reads_and_writes",
        database="postgresql",
    ),
    Mutant(
        "a sign-in in a streaming body is admitted",
        "receivers.py::signed_in",
        old="    if state is not None and state.is_answered:\n",
        new="    if False:\n",
        tests=STREAMING,
        test="test_nobody_is_displaced_by_it",
    ),
    Mutant(
        "a response is never prepared",
        "store/response_phase.py::begin",
        old="    vars(request)[ANSWERED] = True\n",
        new="",
        tests=STREAMING,
        test="test_nobody_is_displaced_by_it",
    ),
    Mutant(
        "a streaming body takes the session's key",
        "store/keys.py::Keys.cycle_key",
        old="""        if state.is_answered:
            # The""",
        new="""        if False:
            # The""",
        tests=STREAMING,
        test="test_an_anonymous_session_stays",
    ),
    Mutant(
        "an asynchronous streaming body takes the session's key",
        "store/keys.py::Keys.acycle_key",
        old="        if state.is_answered:\n            return\n",
        new="",
        tests=STREAMING,
        test="test_an_anonymous_session_stays",
    ),
    Mutant(
        "a request that is tried again is answered already",
        "request.py::guard",
        old="attributes.pop(ANSWERED, None)",
        new="pass",
        tests=STREAMING,
        test="test_a_request_that_is_tried_again",
    ),
    Mutant(
        "a refusal is logged with its traceback",
        "utils/request_log.py::_Unexpected.filter",
        old="isinstance(record.exc_info[1], SessionLimitReached)",
        new="False",
        tests=LOG,
        test="test_a_refusal_in_a_middleware",
    ),
    Mutant(
        "every forbidden page is kept out of the log",
        "utils/request_log.py::_Unexpected.filter",
        old="isinstance(record.exc_info[1], SessionLimitReached)",
        new="True",
        tests=LOG,
        test="test_the_filter",
    ),
    Mutant(
        "the answer to a refusal is logged as a failed request",
        "store/response_phase.py::_settle",
        old="        request_log.keep_out(answer)\n",
        new="        pass\n",
        tests=LOG,
        test="test_only_the_audit_log_has_it",
    ),
    Mutant(
        "the failure of a bus is logged with its password",
        "bus/publisher.py::failure_of",
        old="({type(error).__name__})",
        new="({error})",
        tests="bus/test_buses",
        test="test_its_failure_is_one_line_without_a_password",
    ),
    Mutant(
        "the failure of a bus is logged with a traceback",
        "utils/log_once.py::OutageLog.begin",
        old="bool(detail) or",
        new="",
        tests="bus/test_buses",
        test="test_its_failure_is_one_line_without_a_password",
    ),
]
