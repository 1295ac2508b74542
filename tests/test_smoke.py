import pytest
from django.contrib.auth import get_user_model
from session_limit.models import UserSession
from session_limit.testing import two_browsers

pytestmark = pytest.mark.django_db(transaction=True)

def sign_in(b, path="/login/"):
    return b.post(path, {"username": "ada", "password": "pw"})

@pytest.fixture
def ada():
    return get_user_model().objects.create_user(username="ada", password="pw")

def test_story(ada, django_assert_num_queries):
    a, b = two_browsers()
    r = sign_in(a); assert r.status_code == 302, r.content
    assert a.get("/").content == b"Hello ada."
    with django_assert_num_queries(2) as c:
        a.get("/")
    for q in c.captured_queries: print(q["sql"])
    with django_assert_num_queries(50, exact=False) as c:
        r = sign_in(b)
    for q in c.captured_queries: print(q["sql"])
    assert r.status_code == 302
    assert b.get("/").content == b"Hello ada."
    r = a.get("/")
    assert r.status_code == 401
    print(r.content.decode()); print(r.headers, r.cookies)
    r = a.get("/"); print(r.status_code, r.headers)
    print(UserSession.objects.values())
    r = sign_in(a, "/alogin/"); assert r.status_code == 302, (r, r.content)
    assert a.get("/").status_code == 200
    r = b.get("/", headers={"accept": "application/json", "sec-fetch-mode":"cors"}); print(r.status_code, r.content, r.cookies)
    r = b.get("/", headers={"accept": "application/json", "sec-fetch-mode":"cors"}); assert r.status_code==401
