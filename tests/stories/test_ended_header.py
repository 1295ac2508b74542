"""Each answer to a request that presents an ended session says so in a header."""

from __future__ import annotations

import gzip
import json

import pytest
from django.contrib.auth import get_user_model, login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from session_limit import registry
from session_limit.models import UserSession
from session_limit.pages import reported_errors
from tests.stories.people import JSON, statements
from tests.stories.urls import urlpatterns as project_urls
from tests.stories.views import BACKEND

NAME = "Session-Limit"
DISPLACED = "ended; reason=displaced"

# What the view answers to a visitor, set by a test
answer = {}


@csrf_exempt
def api(request):
    """Answer 200 to everybody."""
    if request.user.is_authenticated:
        return JsonResponse({"data": {"me": request.user.get_username()}})
    body = answer["body"]
    text = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"ETag": '"1"', "Content-Length": str(len(text)), **answer["headers"]}
    return HttpResponse(text, headers=headers)


@csrf_exempt
def mutation(request):
    """Sign in, and report a refusal as GraphQL libraries do."""
    user = get_user_model()._default_manager.get_by_natural_key("ada")
    try:
        login(request, user, BACKEND)
    except PermissionDenied as error:
        return JsonResponse({"data": None, "errors": [{"message": str(error)}]})
    return JsonResponse({"data": {"login": True}})


def streamed(request):
    assert not request.user.is_authenticated
    body = iter([b'{"errors": [{"message": "No."}]}'])
    return StreamingHttpResponse(body, content_type="application/json")


urlpatterns = [
    *project_urls,
    path("graphql/", api),
    path("mutation/", mutation),
    path("streamed/", streamed),
]


@pytest.fixture(autouse=True)
def api_project(settings):
    settings.ROOT_URLCONF = __name__
    answer.clear()


@pytest.fixture
def displaced(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    return laptop


def ask(visitor, body, content_type="application/json", **headers):
    answer.update(body=body, headers={"Content-Type": content_type, **headers})
    return visitor.call(
        "post",
        "/graphql/",
        {"query": "{ me }"},
        content_type="application/json",
        headers=JSON,
    )


# The header


def test_a_public_page_has_the_header(displaced):
    response = displaced.get(displaced.path("whoami"))
    assert response.status_code == 200
    assert response.headers[NAME] == DISPLACED
    assert displaced.get(displaced.path("whoami")).headers[NAME] == DISPLACED


@pytest.mark.parametrize("headers", [JSON, {"HX-Request": "true"}, {}])
def test_the_explanation_has_the_header(displaced, headers):
    response = displaced.open(**headers)
    assert response.status_code == 401
    assert response.headers[NAME] == DISPLACED


def test_a_page_of_an_ended_visitor_who_has_written_something(displaced):
    displaced.post("/cart/", {"cart": "tea"})
    assert displaced.get("/cart/").headers[NAME] == DISPLACED
    # A person has seen the reason, so that the visitor is an ordinary one.
    assert displaced.open().status_code == 401
    assert NAME not in displaced.get("/cart/").headers


def test_an_ending_during_the_request(ada, laptop, phone):
    from tests.stories import views

    laptop.sign_in()
    laptop.write()
    views.meanwhile.append(phone.sign_in)
    response = laptop.get(laptop.path("interrupted"))
    assert response.status_code == 401
    assert response.headers[NAME] == DISPLACED


@pytest.mark.parametrize("served", ["sync"])
@pytest.mark.parametrize("reason", UserSession.Reason)
def test_each_reason(ada, laptop, reason):
    laptop.sign_in()
    registry.end_all(ada, reason)
    assert laptop.get("/whoami/").headers[NAME] == f"ended; reason={reason}"


def test_a_page_that_reads_no_session_does_not_know(displaced):
    assert NAME not in displaced.get("/public/").headers


def test_others_have_no_header(ada, laptop, phone, tablet):
    laptop.sign_in()
    phone.cookie = "a" * 32
    for visitor in (laptop, phone, tablet):
        for page in ("whoami", "write", "members"):
            assert NAME not in visitor.get(visitor.path(page)).headers


def test_signing_in_again(displaced):
    response = displaced.sign_in()
    assert response.status_code == 302
    assert NAME not in response.headers
    assert NAME not in displaced.open().headers


# The explanation inside a response that reports errors

FIELDS = {"version", "code", "reason", "heading", "detail", "ended_at"} | {
    "device_class",
    "sign_in_url",
    "actions",
}
ERROR = {"message": "not signed in"}

GRAPHQL = {
    "bare": {"errors": [ERROR]},
    "graphene": {
        "errors": [{**ERROR, "locations": [{"line": 1, "column": 3}], "path": ["me"]}],
        "data": {"me": None},
    },
    "strawberry": {"data": None, "errors": [ERROR], "extensions": {}},
    "ariadne": {"errors": [{**ERROR, "extensions": {"exception": None}}]},
    "partial data": {
        "data": {"news": [{"title": "Mud"}], "me": None},
        "errors": [ERROR],
    },
    "tracing": {"errors": [ERROR], "extensions": {"tracing": {"version": 1}}},
    "no extensions": {"errors": [ERROR], "extensions": None},
}


@pytest.mark.parametrize("body", GRAPHQL.values(), ids=GRAPHQL)
def test_a_graphql_response_with_errors_is_explained(displaced, body):
    response = ask(displaced, body)
    assert response.status_code == 200
    assert response.headers[NAME] == DISPLACED
    result = response.json()
    told = result["extensions"].pop("session_limit")
    assert told.keys() == FIELDS
    assert (told["code"], told["reason"]) == ("session_ended", "displaced")
    # All that the application has answered is there.
    if not body.get("extensions"):
        del result["extensions"]
    expected = {**body}
    if not expected.get("extensions"):
        expected.pop("extensions", None)
    assert result == expected
    assert response.headers["Content-Length"] == str(len(response.content))
    assert "ETag" not in response.headers


def test_the_media_type_of_graphql(displaced):
    body = {"errors": [ERROR]}
    response = ask(displaced, body, "application/graphql-response+json; charset=utf-8")
    assert "session_limit" in response.json()["extensions"]


def test_a_batch_of_queries(displaced):
    batch = [{"data": {"news": []}}, {"data": None, "errors": [ERROR]}]
    first, second = ask(displaced, batch).json()
    assert first == batch[0]
    assert second["extensions"]["session_limit"]["code"] == "session_ended"


def test_a_json_rpc_error(displaced):
    error = {"code": -32000, "message": "not signed in"}
    body = {"jsonrpc": "2.0", "id": 1, "error": error}
    result = ask(displaced, body).json()
    data = result["error"].pop("data")
    assert data.keys() == FIELDS
    assert result == body
    batch = [{"jsonrpc": "2.0", "id": 2, "result": 7}, body]
    first, second = ask(displaced, batch).json()
    assert first == batch[0]
    assert second["error"]["data"]["reason"] == "displaced"


UNTOUCHED = {
    "data": {"data": {"news": []}},
    "no errors": {"data": {}, "errors": []},
    "another API": {"errors": [ERROR], "status": "failed"},
    "errors by field": {"errors": {"name": ["required"]}},
    "errors in words": {"errors": ["required"]},
    "an error in words": {"error": "not signed in"},
    "a message that is no text": {"errors": [{"message": 7}]},
    "extensions of another kind": {"errors": [ERROR], "extensions": [1]},
    "data of the application": {
        "jsonrpc": "2.0",
        "error": {"code": 1, "message": "No.", "data": {"own": 1}},
    },
    "a result": {"jsonrpc": "2.0", "result": {"error": 1}},
    "a list": ["error"],
    "text": "error",
    "nothing": None,
    "broken": b'{"errors": [{"message": "No."}',
}


@pytest.mark.parametrize("body", UNTOUCHED.values(), ids=UNTOUCHED)
def test_other_bodies_stay_as_they_are(displaced, body):
    response = ask(displaced, body)
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert response.content == text
    assert response.headers["ETag"] == '"1"'
    assert response.headers[NAME] == DISPLACED


def test_other_kinds_of_responses_stay_as_they_are(displaced):
    body = {"errors": [ERROR]}
    assert ask(displaced, body, "text/plain").content == json.dumps(body).encode()
    packed = gzip.compress(json.dumps(body).encode())
    response = ask(displaced, packed, **{"Content-Encoding": "gzip"})
    assert response.content == packed
    response = displaced.get("/streamed/")
    assert response.headers[NAME] == DISPLACED
    assert response.streaming


def test_visitors_and_signed_in_users_are_told_nothing(ada, laptop, phone):
    body = {"errors": [ERROR]}
    assert ask(phone, body).json() == body
    laptop.sign_in()
    assert ask(laptop, body).json() == {"data": {"me": "ada"}}


def test_only_an_explanation_reads_what_the_explanation_says(displaced):
    with statements() as plain:
        ask(displaced, {"data": {}})
    with statements() as explained:
        ask(displaced, {"errors": [ERROR]})
    assert len(explained) > len(plain)


@pytest.mark.parametrize(
    ("at_limit", "status", "code"),
    [("deny", 403, "session_limit"), ("ask", 409, "choose_session")],
)
def test_a_refused_mutation(ada, laptop, phone, settings, at_limit, status, code):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    response = phone.call("post", "/mutation/", headers=JSON)
    assert response.status_code == status
    assert response.json()["code"] == code


@pytest.mark.parametrize("served", ["sync"])
def test_the_numbers_of_a_body_keep_their_values(served):
    text = b'{"data": [12345678901234567890, 0.1, 1e22], "errors": [{"message": "x"}]}'
    response = HttpResponse(text, content_type="application/json")
    reported_errors.explain(response, {"code": "session_ended"})
    result = json.loads(response.content)
    assert result["data"] == json.loads(text)["data"]
    assert result["extensions"] == {"session_limit": {"code": "session_ended"}}


@pytest.mark.parametrize("served", ["sync"])
@pytest.mark.parametrize("number", [b"NaN", b"1e400", b"-Infinity"])
def test_a_body_with_numbers_beyond_those_of_json_stays_as_it_is(served, number):
    text = b'{"data": %s, "errors": [{"message": "x"}]}' % number
    response = HttpResponse(text, content_type="application/json")
    reported_errors.explain(response, {"code": "session_ended"})
    assert response.content == text
