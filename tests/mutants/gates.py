"""Breakages of what reads a client's words: cookies, forms, addresses."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "the database decides what a key is",
        "store/queries.py::read_with_stored",
        old="    if stored_key != key:\n",
        new="    if False:\n",
        tests="stories/test_made_up_keys",
        test="test_another_spelling_of_a_key_is_another_key",
        database="mariadb",
    ),
    Mutant(
        "half a character is text",
        "client/posted_data.py::form",
        old="        _check_text(dict(fields.lists()))\n",
        new="",
        tests="stories/test_hostile",
        test="test_a_form_that_is_no_text_is_told_why_its_session_ended",
    ),
    Mutant(
        "a form that cannot be decoded is an error of ours",
        "client/posted_data.py::form",
        old="except (ValueError, LookupError) as error:",
        new="except ValueError as error:",
        tests="stories/test_hostile",
        test="test_no_form_of_ours_takes_what_is_no_text",
    ),
    Mutant(
        "an address may hide another behind dots",
        "utils/safe_redirects.py",
        old=r"(.*[/\\]\.{1,2})?",
        new="",
        tests="test_safe_redirects",
        test="test_what_leads_elsewhere_is_refused",
    ),
    Mutant(
        "the gateway reads another cookie than Django",
        "wsgi.py::SessionGateway._answer",
        old='get_str_from_wsgi(environ, "HTTP_COOKIE", "")',
        new='environ.get("HTTP_COOKIE", "")',
        tests="asgi/test_gateway",
        test="test_it_reads_the_cookie_that_django_reads",
    ),
    Mutant(
        "the answer to HEAD has a body",
        "wsgi.py::SessionGateway.__call__",
        old='[] if environ["REQUEST_METHOD"] == "HEAD" else [verdict.body]',
        new="[verdict.body]",
        tests="asgi/test_gateway",
        test="test_a_head_request_has_no_body_under_wsgi",
    ),
    Mutant(
        "every cookie is unquoted",
        "store/identification.py::session_key_in_header",
        old="session_key_in(parse_cookie(found[-1]))",
        new="session_key_in(parse_cookie(header))",
        tests="asgi/test_strangers",
        test="test_no_other_cookie_is_unquoted",
    ),
    Mutant(
        "a quoted cookie is as long as the client likes",
        "store/identification.py::session_key_in_header",
        old="len(found[-1]) > LONGEST_QUOTED",
        new="False",
        tests="asgi/test_strangers",
        test="test_no_other_cookie_is_unquoted",
    ),
]
