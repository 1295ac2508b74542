"""The suite's project, with libraries that people sign in through."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

# django-allauth has to be told what a user model lacks. That the package needs nothing
# of one is shown elsewhere.
AUTH_USER_MODEL = "auth.User"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "hijack",
    "loginas",
    "rest_framework",
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ROOT_URLCONF = "tests.libraries.urls"
LOGIN_URL = "account_login"

ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# All of these sign-ins come from one address, within seconds.
ACCOUNT_RATE_LIMITS = False
SOCIALACCOUNT_PROVIDERS = {
    "github": {"APPS": [{"client_id": "client", "secret": "secret"}]}
}
# Django 6.1 asks for it, before it does for its own.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
