import pytest
from session_limit.testing import PHONE
from session_limit.testing import PHONE
from tests.stories.people import *
@pytest.mark.django_db(transaction=True)
def test_x(settings):
    from django.core import mail
    ada = make_user("ada", email="ada@example.com")
    laptop, phone = Visitor(), Visitor(PHONE)
    r = laptop.get("/accounts/login/"); print(r.status_code, r.cookies, laptop.cookie)
    r = laptop.post("/accounts/login/", {"login":"ada","password":PASSWORD}); print(r.status_code, r.cookies, r.get("location"))
    print(laptop.state, laptop.stored)
    r = phone.post("/accounts/login/", {"login":"ada","password":PASSWORD}); print(r.status_code)
    print(laptop.state)
    r = laptop.get("/accounts/password/change/"); print(r.status_code, r.content.decode()[-900:], r.cookies)
    settings.SESSION_LIMIT_AT_LIMIT="deny"
    r = laptop.get("/accounts/password/change/"); print(r.status_code, r.get("location"))
    print("--- deny");
    r = laptop.post("/accounts/login/", {"login":"ada","password":PASSWORD}); print(r.status_code, r.cookies, laptop.stored)
    t = Visitor()
    B="/_allauth/browser/v1/auth/"
    A="/_allauth/app/v1/auth/"
    print("--- headless");
    r = t.post(B+"login", {"username":"ada","password":PASSWORD}, content_type="application/json", headers=JSON); print(r.status_code, r.content, r.cookies)
    t=Visitor()
    r = t.post(A+"login", {"username":"ada","password":PASSWORD}, content_type="application/json", headers=JSON); print(r.status_code, r.content, r.cookies)
    settings.SESSION_LIMIT_AT_LIMIT="displace"
    r = t.get(B+"session", headers=JSON); print(r.status_code, r.content)
    r = t.post(B+"login", {"username":"ada","password":PASSWORD}, content_type="application/json", headers=JSON); print(r.status_code, r.content, r.cookies)
    print(phone.state, t.name)
    app=Visitor()
    r = app.post(A+"login", {"username":"ada","password":PASSWORD}, content_type="application/json", headers=JSON); print(r.status_code, r.content, r.cookies)
    tok=r.json()["meta"]["session_token"]
    print("t:", t.state, live())
    r = t.get(B+"session", headers=JSON); print(r.status_code, r.content)
    H={"X-Session-Token":tok, **JSON}
    r = app.get(A+"session", headers=H); print(r.status_code, r.content, r.cookies)
    r = app.post("/_allauth/app/v1/account/password/change", {"current_password":PASSWORD,"new_password":"newpw12345x"}, content_type="application/json", headers=H); print(r.status_code, r.content, r.cookies)
    tok=r.json().get("meta",{}).get("session_token") or tok
    H={"X-Session-Token":tok, **JSON}
    r = app.get(A+"session", headers=H); print(r.status_code, r.content, r.cookies)
    print(live()[0].session_key, tok)
    r = phone.post("/accounts/login/", {"login":"ada","password":"newpw12345x"}); print(r.status_code)
    print(live(), reasons())
    r = app.get(A+"session", headers=H); print("displaced app", r.status_code, r.content, r.cookies)
