"""A script has signed in to one account thousands of times."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from session_limit import registry
from session_limit.models import PendingSignIn, UserSession
from session_limit.registry import not_counting
from session_limit.registry.pending import LISTED
from tests.stories.people import JSON, SIGNED_IN, live, statements

Reason = UserSession.Reason
LIST = "/account/sessions/"
END_OTHERS = f"{LIST}end-others/"
CHOOSE = f"{LIST}choose/"
HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
A_DAY = timedelta(days=1)
PAGE = 50


@pytest.fixture(autouse=True)
def observed(settings, ada):
    """Only observe the limit, as in a trial run before it is enforced."""
    settings.SESSION_LIMIT = 3
    settings.SESSION_LIMIT_AT_LIMIT = "observe"


def add(user, number, **fields):
    """
    Add live sessions, each of which was active a second later than the one before.
    """
    now = timezone.now()
    return UserSession.objects.bulk_create(
        UserSession(
            user=user,
            expires_at=now + A_DAY,
            last_active_at=now - A_DAY + timedelta(seconds=second),
            **fields,
        )
        for second in range(number)
    )


def ids(rows):
    return [str(row.pk) for row in rows]


def listed(response):
    return [session["id"] for session in response.json()["sessions"]]


def follow(visitor, url=LIST):
    """Yield each page of the list as JSON, from the first to the last."""
    while url:
        response = visitor.get(url, headers=JSON)
        assert response.status_code == 200
        yield response
        url = response.json()["next"]


def text(response):
    said = re.sub(r"<[^>]*>", " ", response.content.decode())
    return " ".join(unescape(said).split())


# The list


def test_every_session_is_on_one_page(ada, laptop):
    laptop.sign_in()
    rows = add(ada, 120)
    pages = list(follow(laptop))
    found = [id for page in pages for id in listed(page)]
    assert found == [str(laptop.row.pk), *ids(reversed(rows))]
    assert [len(listed(page)) for page in pages] == [PAGE, PAGE, 21]
    for page in pages:
        assert (page.json()["count"], page.json()["in_use"]) == (121, 121)
        assert page.json()["limit"] == 3


def test_the_pages_lead_back(ada, laptop):
    laptop.sign_in()
    add(ada, 120)
    first, second, third = follow(laptop)
    assert first.json()["previous"] is None
    assert second.json()["previous"] == f"{LIST}?page=1"
    assert third.json()["previous"] == f"{LIST}?page=2"
    assert third.json()["next"] is None


@pytest.mark.parametrize("others", [PAGE - 1, PAGE])
def test_a_page_that_is_full_has_a_next_one_if_there_are_more(ada, laptop, others):
    laptop.sign_in()
    add(ada, others)
    pages = list(follow(laptop))
    assert len(pages) == (1 if others < PAGE else 2)
    assert sum(len(listed(page)) for page in pages) == others + 1


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("0", 1),
        ("-1", 1),
        ("", 1),
        ("two", 1),
        ("1.5", 1),
        ("2%00", 1),
        ("9" * 30, 1),
        ("9" * 5000, 1),
        ("²", 1),
        ("3", 3),
        ("4", 3),
        ("999999999", 3),
    ],
)
def test_a_number_that_no_page_has_leads_to_one_that_there_is(ada, laptop, page, found):
    laptop.sign_in()
    add(ada, 120)
    pages = [listed(each) for each in follow(laptop)]
    answer = laptop.get(f"{LIST}?page={page}", headers=JSON)
    assert answer.status_code == 200
    assert listed(answer) == pages[found - 1]
    assert laptop.get(f"{LIST}?page={page}").status_code == 200


def test_the_page_links_to_its_neighbours_and_goes_on_saying_what_was_done(ada, laptop):
    laptop.sign_in()
    add(ada, 120)
    ended = add(ada, 1, device="Firefox on Linux")
    registry.end([ended[0].pk], Reason.REVOKED, by=ada)
    done = f"done={ended[0].pk}"
    page = laptop.get(f"{LIST}?page=2&{done}")
    links = re.findall(
        r'rel="(prev|next)" href="([^"]+)"', unescape(page.content.decode())
    )
    assert dict(links) == {
        "prev": f"{LIST}?page=1&{done}",
        "next": f"{LIST}?page=3&{done}",
    }
    assert "Signed out: Firefox on Linux." in text(page)


def test_the_other_pages_do_not_repeat_this_device(ada, laptop):
    laptop.sign_in()
    add(ada, 60)
    assert "This device" in text(laptop.get(LIST))
    second = text(laptop.get(f"{LIST}?page=2"))
    assert "This device" not in second
    assert "Sign out all others" in second


def test_sessions_that_end_between_two_pages_are_no_error(ada, laptop):
    laptop.sign_in()
    add(ada, 120)
    *_rest, last = [page.json()["previous"] for page in follow(laptop)]
    registry.end_others(ada, laptop.row.pk, Reason.REVOKED)
    answer = laptop.get(last, headers=JSON)
    assert listed(answer) == [str(laptop.row.pk)]
    assert (answer.json()["next"], answer.json()["previous"]) == (None, None)


def test_those_whose_time_is_up_are_not_counted(ada, laptop):
    laptop.sign_in()
    add(ada, 60)
    others = UserSession.objects.exclude(pk=laptop.row.pk)
    due = list(others.values_list("pk", flat=True)[:40])
    UserSession.objects.filter(pk__in=due).update(
        expires_at=timezone.now() - timedelta(minutes=2)
    )
    answer = laptop.get(LIST, headers=JSON).json()
    assert (answer["count"], answer["in_use"]) == (21, 21)
    assert len(answer["sessions"]) == 21


def counted(visitor, url, **headers):
    visitor.get(url, headers=headers)
    with statements() as ran:
        response = visitor.get(url, headers=headers)
    assert response.status_code == 200
    return len(ran), response


@pytest.mark.parametrize(
    ("url", "headers", "number"),
    [
        (LIST, {}, 20_000),
        (LIST, JSON, 2000),
        (f"{LIST}?page=2", {}, 2000),
        (f"{LIST}?page=2", JSON, 2000),
        (END_OTHERS, {}, 2000),
    ],
)
def test_thousands_take_as_many_statements_as_sixty(ada, laptop, url, headers, number):
    laptop.sign_in()
    add(ada, 60)
    few, _ = counted(laptop, url, **headers)
    add(ada, number)
    many, response = counted(laptop, url, **headers)
    assert many == few
    assert len(response.content) < 100_000


# Ending all others


def test_ending_all_others_asks_about_fifty_and_says_how_many_more(ada, laptop):
    laptop.sign_in()
    add(ada, 2000)
    page = laptop.get(END_OTHERS)
    says = text(page)
    assert "Sign out 2000 other devices?" in says
    assert "and 1950 more" in says
    assert page.content.decode().count('class="session-limit-session"') == PAGE


def test_all_others_end_in_as_many_statements_as_two(ada, laptop, settings):
    settings.SESSION_LIMIT_RETENTION = A_DAY
    laptop.sign_in()
    ran = []
    for number in (2, 2000):
        add(ada, number)
        with statements() as each:
            answer = laptop.post(END_OTHERS, headers=JSON)
        assert len(answer.json()["ended"]) == number
        assert live() == [laptop.row]
        ran.append(len(each))
    few, many = ran
    assert many == few


# At the limit


@pytest.fixture
def asked(ada, phone, settings):
    """Return a function that adds sessions and then has a sign-in on a phone asked."""

    def asked(number, limit=3, **fields):
        rows = add(ada, number, **fields)
        settings.SESSION_LIMIT = limit
        settings.SESSION_LIMIT_AT_LIMIT = "ask"
        assert phone.sign_in(headers=HTML).status_code == 303
        return rows

    return asked


def selected(page):
    return re.findall(r'name="end" value="([^"]+)"[^>]* checked', page.content.decode())


def offered(page):
    return re.findall(r'name="end" value="([0-9a-f-]{36})"', page.content.decode())


def code(page):
    (found,) = re.findall(r'name="choice" value="(\w+)"', page.content.decode())
    return found


def test_the_chooser_lists_those_that_are_used_least(asked, phone):
    rows = asked(200, limit=200)
    page = phone.get(CHOOSE, headers=HTML)
    assert offered(page) == ids(reversed(rows[:LISTED]))
    assert selected(page) == ids(rows[:1])
    assert "and 150 more" in text(page)
    data = {"choice": code(page), "end": ids(rows[:1])}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 302
    assert phone.state == SIGNED_IN
    assert len(live()) == 200


def test_as_many_as_are_listed_can_be_chosen(asked, phone):
    asked(100, limit=51)
    page = phone.get(CHOOSE, headers=HTML)
    assert len(selected(page)) == len(offered(page)) == LISTED
    data = {"choice": code(page), "end": selected(page)}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 302
    assert len(live()) == 51


def test_where_no_choice_makes_room_all_are_signed_out(asked, phone):
    asked(2000, limit=50)
    page = phone.get(CHOOSE, headers=HTML)
    says = text(page)
    assert "too many devices to choose from" in says
    assert "Sign out and continue" not in says
    assert offered(page) == []
    data = {"choice": code(page), "end": "all"}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 302
    assert live() == [phone.row]


def test_the_button_for_all_posts_what_is_selected_too(asked, phone):
    asked(100, limit=51)
    page = phone.get(CHOOSE, headers=HTML)
    data = {"choice": code(page), "end": [*selected(page), "all"]}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 302
    assert live() == [phone.row]


def test_more_ids_than_are_listed_are_refused(asked, phone):
    rows = asked(100, limit=51)
    page = phone.get(CHOOSE, headers=HTML)
    data = {"choice": code(page), "end": ids(rows[: LISTED + 1])}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 400
    assert len(live()) == 100


@pytest.mark.parametrize("at_limit", ["ask", "deny"])
def test_a_client_gets_fifty_and_the_count(ada, phone, settings, at_limit):
    rows = add(ada, 200)
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    answer = phone.sign_in(headers=JSON)
    assert answer.status_code == (409 if at_limit == "ask" else 403)
    assert listed(answer) == ids(reversed(rows[:LISTED]))
    assert answer.json()["count"] == 200


def test_the_refused_page_lists_fifty_and_says_how_many_more(ada, phone, settings):
    add(ada, 2000)
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    page = phone.sign_in(headers=HTML)
    assert page.status_code == 403
    assert page.content.decode().count('class="session-limit-session"') == LISTED
    assert "and 1950 more" in text(page)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (3, "signed in on 3 devices already"),
        (2, "This account can be used on 2 devices at a time."),
    ],
)
def test_the_refused_page_does_not_say_that_the_limit_is_how_many_there_are(
    ada, phone, settings, limit, said
):
    """After the limit was lowered, the page lists more sessions than the limit."""
    add(ada, 3)
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = limit, "deny"
    page = phone.sign_in(headers=HTML).content.decode()
    assert said in page
    assert (" already" in page) == (limit == 3)


def test_the_chooser_takes_as_many_statements_however_many_there_are(asked, phone):
    asked(60, limit=60)
    few, _ = counted(phone, CHOOSE, **HTML)
    PendingSignIn.objects.all().delete()
    asked(2000, limit=2060)
    many, page = counted(phone, CHOOSE, **HTML)
    assert many == few
    assert len(page.content) < 100_000


# Rows without a stored session take no place. Finding out costs a read of each.


@pytest.mark.parametrize("displace", ["least_recent", "oldest"])
@pytest.mark.parametrize("gone", [0, 7, 10])
def test_what_is_stored_is_read_until_all_places_are_taken(
    ada, settings, monkeypatch, gone, displace
):
    """Those that would stay are read first."""
    settings.SESSION_LIMIT_DISPLACE = displace
    monkeypatch.setattr(not_counting, "READ_AT_ONCE", 4)
    rows = add(ada, 20)
    expected = sorted(rows, key=lambda row: row.last_active_at, reverse=True)
    if displace == "oldest":
        expected.sort(key=lambda row: row.created_at, reverse=True)
    reads = []

    def end_unusable(batch, *facts):
        reads.extend(batch)
        return [row for row in batch if row not in expected[:gone]]

    monkeypatch.setattr(not_counting, "end_unusable", end_unusable)
    remaining = not_counting.usable(rows, ada, None, 3, "default")
    number = {0: 4, 7: 12, 10: 16}[gone]
    assert reads == expected[:number]
    assert remaining == [row for row in rows if row in expected[gone:]]


def test_a_refusal_reads_no_more_stored_sessions_than_it_needs(
    ada, phone, settings, monkeypatch
):
    add(ada, 300, session_key=None)
    looked_at = []
    end_unusable = not_counting.end_unusable

    def counting(rows, *facts):
        looked_at.extend(rows)
        return end_unusable(rows, *facts)

    monkeypatch.setattr(not_counting, "end_unusable", counting)
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    assert phone.sign_in(headers=JSON).status_code == 403
    assert len(looked_at) == not_counting.READ_AT_ONCE


def test_a_sign_in_beside_thousands_takes_as_many_statements(ada, browser, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "displace"
    # Both times, three of the live sessions are stored. Some engines read them singly.
    for _ in range(3):
        assert browser().sign_in().status_code == 302
    ran = []
    for number in (3, 2000):
        add(ada, number)
        with CaptureQueriesContext(connection) as each:
            assert browser().sign_in().status_code == 302
        assert len(live()) == 3
        ran.append(len(each))
    few, many = ran
    assert many <= few
