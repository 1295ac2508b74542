"""Middleware of other projects, which stands below the package's."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model, login
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template import loader
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject, empty

HERE = __name__

# The paths that reached the innermost middleware
seen = []


class Policy(MiddlewareMixin):
    """Allow the scripts with a nonce, as Django 6.0 does: the nonce is made if used."""

    def process_request(self, request):
        request.csp_nonce = SimpleLazyObject(secrets.token_hex)

    def process_response(self, request, response):
        nonce = request.csp_nonce
        used = "" if nonce._wrapped is empty else f" 'nonce-{nonce}'"
        response.headers["Content-Security-Policy"] = f"script-src 'self'{used}"
        return response


class StrictPolicy(Policy):
    """The same, as django-csp does: a nonce after the header is an error."""

    def process_response(self, request, response):
        response = super().process_response(request, response)
        if "nonce" not in response.headers["Content-Security-Policy"]:
            request.csp_nonce = SimpleLazyObject(self._too_late)
        return response

    def _too_late(self):
        raise RuntimeError("The nonce is used after the header was written.")


class Watcher(MiddlewareMixin):
    """Note each request, and that the response has come back."""

    def process_request(self, request):
        seen.append(request.path)

    def process_response(self, request, response):
        response.headers["X-Request-ID"] = f"r-{len(seen)}"
        response.set_cookie("watched", str(len(seen)))
        return response


class OwnBarrier(MiddlewareMixin):
    """Keep visitors out before Django looks for the view, as many projects do."""

    def process_request(self, request):
        if request.path == "/public/" and not request.user.is_authenticated:
            return HttpResponseRedirect("/login/?next=/public/")
        return None


class Redirects401(MiddlewareMixin):
    """Turn each 401 into a redirect."""

    def process_response(self, request, response):
        return redirect("/public/") if response.status_code == 401 else response


class NewResponse(MiddlewareMixin):
    """Return a response object of its own."""

    def process_response(self, request, response):
        if response.status_code != 401:
            return response
        other = HttpResponse(response.content, status=response.status_code)
        other.headers["X-Another"] = "1"
        return other


class FailsTheSecondTime(MiddlewareMixin):
    def process_request(self, request):
        if hasattr(request, "been_here"):
            raise ZeroDivisionError
        request.been_here = True


class SignsInTheSecondTime(MiddlewareMixin):
    def process_request(self, request):
        if hasattr(request, "been_here"):
            user = get_user_model()._default_manager.get_by_natural_key("ada")
            login(request, user, "django.contrib.auth.backends.ModelBackend")
        request.been_here = True


class ChoosesTemplates(MiddlewareMixin):
    """As libraries do that render other templates on phones."""

    def chosen(self, name):
        return [f"phone/{name}", name]

    def process_template_response(self, request, response):
        response.template_name = self.chosen(response.template_name)
        return response


class FindsTemplates(ChoosesTemplates):
    def chosen(self, name):
        return loader.get_template(name)


class NamesMissingTemplates(ChoosesTemplates):
    def chosen(self, name):
        return f"phone/{name}"


def only_sync(get_response):
    """Return a middleware that Django must run in a thread under ASGI."""

    def middleware(request):
        response = get_response(request)
        response.headers["X-Sync"] = "1"
        return response

    return middleware
