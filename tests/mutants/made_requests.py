"""Breakages in what the package concludes from a request and its view."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

KINDS = "request_kinds/test_request_kinds"
IDLE = "stories/test_idle"
BARRIERS = "stories/test_barriers"
AFTER = "stories/test_after_sign_in"

MUTANTS = [
    Mutant(
        "a page that Turbo or a service worker fetches is no page",
        "client/request_kind.py::_is_navigation",
        old='return mode in {None, "same-origin"} or is_like_navigation',
        new="return mode is None",
        tests=KINDS,
        test="test_the_headers_of_a_request_say_what_it_is",
    ),
    Mutant(
        "every fetch of HTML is a page",
        "client/request_kind.py::_is_navigation",
        old='mode == "cors" and "application/xhtml+xml" in accept',
        new='mode == "cors"',
        tests=KINDS,
        test="test_the_headers_of_a_request_say_what_it_is",
    ),
    Mutant(
        "a part of a page is a page",
        "client/request_kind.py::is_acted_on",
        old=" or any(name in headers for name in _PART_HEADERS):",
        new=":",
        tests=KINDS,
        test="test_the_headers_of_a_request_say_what_it_is",
    ),
    Mutant(
        "htmx shows the explanation that it never shows",
        "client/request_kind.py::shows_explanation",
        old="return is_acted_on(request) and not is_htmx(request)",
        new="return is_acted_on(request)",
        tests="stories/test_answers",
        test="test_htmx_opens_the_explanation_of_a_page_which_leads_to_that_page",
    ),
    Mutant(
        "a poll keeps a session alive",
        "store/response_phase.py::_is_activity",
        old="row.expires_reason != EndReason.IDLE or get_rules().is_activity(request)",
        new="True",
        tests=IDLE,
        test="test_a_page_that_only_polls_becomes_idle",
    ),
    Mutant(
        "a poll that writes to the session keeps it alive",
        "registry/activity.py::touch",
        old="if not is_active or not row.is_touch_due(now):",
        new="if not is_saved and not row.is_touch_due(now):",
        tests=IDLE,
        test="test_a_poll_records_a_shorter_expiry",
    ),
    Mutant(
        "a form that a script sends is no activity",
        "client/request_kind.py::is_in_background",
        old='if request.method not in {"GET", "HEAD"}:',
        new="if False:",
        tests=IDLE,
        test="test_a_form_that_a_script_sends_is_activity",
    ),
    Mutant(
        "any redirect that leads back is a barrier",
        "pages/barriers.py::_is_sign_in_page",
        old="is_asked = leads_back and _has_looked_at_user(request)",
        new="is_asked = leads_back",
        tests=BARRIERS,
        test="test_a_public_page_leads_where_it_leads",
    ),
    Mutant(
        "the sign-in page that a view names is unknown",
        "pages/barriers.py::_declared_pages",
        old='None if match is None else getattr(match.func, "login_url", None)',
        new="None",
        tests=BARRIERS,
        test="test_who_is_kept_out_is_told_why",
    ),
    Mutant(
        "what a section's own page leads on to is trusted",
        "pages/barriers.py::sign_in_page_for",
        old="if is_return_field(name) or value in _own_addresses(request)",
        new="if is_return_field(name)",
        tests=BARRIERS,
        test="test_no_parameter_of_the_sections_own_page_leads_away",
    ),
    Mutant(
        "a form leads to another site",
        "pages/after_sign_in.py::_of_form",
        old="local_address(request, str(value))",
        new="str(value)",
        tests=AFTER,
        test="test_no_form_leads_to_another_site_by_itself",
    ),
    Mutant(
        "an address on another site is stored without a signature",
        "pages/after_sign_in.py::_storable",
        old='return "" if outer is None else signing.dumps(outer, salt=SALT)',
        new='return outer or ""',
        tests=AFTER,
        test="test_where_a_sign_in_leads",
    ),
    Mutant(
        "this site under another spelling passes for another site",
        "utils/safe_redirects.py::outer_address",
        old=" and target.netloc not in _hosts(request)",
        new="",
        tests=AFTER,
        test="test_no_form_leads_to_another_site_by_itself",
    ),
    Mutant(
        "the refused browser keeps the user that the view was shown",
        "pages/after_sign_in.py::_signed_in",
        old='        request.user = cast("User", former)\n',
        new="        pass\n",
        tests=AFTER,
        test="test_the_refused_browser_stays_anonymous",
    ),
]
