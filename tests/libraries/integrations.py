"""The ways to sign in that the matrix tests, and what each of them leaves behind."""

from __future__ import annotations

import itertools
import time

from allauth.mfa.totp.internal import auth as totp
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.stories.people import JSON, PASSWORD


class Integration:
    """A sign-in through a library's code. This base class uses Django's view."""

    # The request's headers, and the status of the answer to a successful sign-in.
    headers = {}
    succeeded = 302
    # The keys that the library puts into the session before ``login()`` and leaves
    # there.
    leaves = frozenset()
    # Whether the request that signs in says where to go next.
    has_next = True

    def prepare(self, user):
        """Give the account what it needs to sign in."""

    def sign_in(self, visitor, where=None):
        """Go through all steps of the sign-in, and return the last answer."""
        self.begin(visitor, where)
        return self.finish(visitor, where)

    def begin(self, visitor, where):
        """Do everything that precedes the request that signs in."""

    def finish(self, visitor, where):
        data = {"username": "ada", "password": PASSWORD, **self.next_of(where)}
        return visitor.post(self.path(visitor), data, headers=self.headers)

    def next_of(self, where):
        return {"next": where} if where and self.has_next else {}

    def path(self, visitor):
        return visitor.path("login")

    def is_complete(self, visitor):
        """Return whether the session has all data that the library expects."""
        return True


class DjangoLoginView(Integration):
    pass


class DjangoAdmin(Integration):
    def prepare(self, user):
        user.is_staff = True
        user.save()

    def path(self, visitor):
        return "/admin/login/"

    def is_complete(self, visitor):
        return visitor.get("/admin/").status_code == 200


class AllauthPassword(Integration):
    # allauth's records of how the user authenticated, and "account_login": that it
    # waits for a code. login() deletes the latter, but not from a cookie of
    # signed_cookies.
    leaves = frozenset(
        {
            "account_authentication_methods",
            "account_authentication_methods_user",
            "account_login",
        }
    )
    methods = ["password"]

    def finish(self, visitor, where):
        data = {"login": "ada", "password": PASSWORD, **self.next_of(where)}
        return visitor.post("/accounts/login/", data)

    def is_complete(self, visitor):
        # allauth reads these when it asks for the password again.
        return self.ends_in_methods(visitor.stored["account_authentication_methods"])

    def ends_in_methods(self, records):
        methods = [record["method"] for record in records]
        return methods[-len(self.methods) :] == self.methods


class AllauthCodes:
    """The codes of an authenticator app. Each code is valid once."""

    methods = ["password", "mfa"]

    def prepare(self, user):
        self.secret = totp.generate_totp_secret()
        totp.TOTP.activate(user, self.secret)
        self.offsets = itertools.count()

    def code(self):
        counter = int(time.time()) // 30 + next(self.offsets)
        return totp.format_hotp_value(totp.hotp_value(self.secret, counter))


class AllauthTwoFactors(AllauthCodes, AllauthPassword):
    # The first step says where to go next, and allauth remembers it.
    has_next = False

    def next_of(self, where):
        return {"next": where} if where else {}

    def begin(self, visitor, where):
        response = super().finish(visitor, where)
        assert response["Location"] == "/accounts/2fa/authenticate/"

    def finish(self, visitor, where):
        return visitor.post("/accounts/2fa/authenticate/", {"code": self.code()})


class AllauthHeadless(AllauthPassword):
    headers = JSON
    succeeded = 200
    has_next = False

    def call(self, visitor, path, data):
        return visitor.post(
            f"/_allauth/browser/v1/auth/{path}",
            data,
            headers=self.headers,
            content_type="application/json",
        )

    def finish(self, visitor, where):
        return self.call(visitor, "login", {"username": "ada", "password": PASSWORD})

    def is_complete(self, visitor):
        path = "/_allauth/browser/v1/auth/session"
        answer = visitor.get(path, headers=self.headers).json()
        records = answer["data"]["methods"]
        return answer["meta"]["is_authenticated"] and self.ends_in_methods(records)


class AllauthHeadlessTwoFactors(AllauthCodes, AllauthHeadless):
    def begin(self, visitor, where):
        response = super().finish(visitor, where)
        assert response.status_code == 401
        flows = {flow["id"]: flow for flow in response.json()["data"]["flows"]}
        assert flows["mfa_authenticate"]["is_pending"]

    def finish(self, visitor, where):
        return self.call(visitor, "2fa/authenticate", {"code": self.code()})


class DjangoOTP(Integration):
    def prepare(self, user):
        self.device = TOTPDevice.objects.create(user=user, name="app", tolerance=5)
        self.times = itertools.count(time.time(), self.device.step)

    def token(self):
        """Return a token. Each token is valid once."""
        generator = TOTP(self.device.bin_key, self.device.step)
        generator.time = next(self.times)
        return f"{generator.token():06}"

    def finish(self, visitor, where, token=None):
        data = {
            "username": "ada",
            "password": PASSWORD,
            "otp_device": self.device.persistent_id,
            "otp_token": token or self.token(),
            **self.next_of(where),
        }
        return visitor.post("/otp/login/", data)

    def is_complete(self, visitor):
        return visitor.get("/otp/members/").content == b"Verified."


class RestFramework(Integration):
    headers = JSON
    succeeded = 200
    has_next = False

    def path(self, visitor):
        return "/rest/sign-in/"

    def is_complete(self, visitor):
        return visitor.get("/rest/me/", headers=JSON).json() == {"user": "ada"}


class BrowsableRestFramework(RestFramework):
    headers = {}
    succeeded = 302
    has_next = True

    def path(self, visitor):
        return "/rest/auth/login/"
