"""Settings of the test suite's project with libraries that people sign in through."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

# django-allauth needs settings for a user model without the usual fields. Other tests
# show that the package needs none of the fields.
AUTH_USER_MODEL = "auth.User"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "hijack",
    "loginas",
    "rest_framework",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django_otp.middleware.OTPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ROOT_URLCONF = "tests.libraries.urls"
LOGIN_URL = "account_login"
OTP_LOGIN_URL = "otp_login"

ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# All sign-ins come from one address within seconds.
ACCOUNT_RATE_LIMITS = False
SOCIALACCOUNT_PROVIDERS = {
    "github": {"APPS": [{"client_id": "client", "secret": "secret"}]}
}
# A code is valid once, so the tests use the codes of the next half minutes.
MFA_TOTP_TOLERANCE = 5
