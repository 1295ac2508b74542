"""
Render the package's pages, whatever template engines the project has.

A page uses the project's own engine, and so the project's layout. A second engine,
which belongs to the package, renders a page that needs nothing of the project.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.template import Engine, TemplateDoesNotExist, loader
from django.template.context import make_context
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

logger = logging.getLogger("session_limit")

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
FOLDER = "session_limit/"


class Page(TemplateResponse):
    """
    An HTML page of this package.

    Django renders the page after the view, as it renders every ``TemplateResponse``.
    If ``is_plain`` is true, the page does not use the project's layout.
    """

    is_plain = False

    def __init__(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> None:
        super().__init__(request, template, context)
        # Other middleware may change template_name, also to a list or a template.
        self._own_template = template

    @property
    def rendered_content(self) -> str:
        context, request = self.resolve_context(self.context_data), self._request
        if self.is_plain:
            return render_plain(self._own_template, context or {}, request)
        return render(self._own_template, context or {}, request, self.template_name)


def finds_templates() -> bool:
    """
    Return whether one of the project's template engines finds the package's templates.

    Otherwise, the package's own engine renders the pages, without the project's layout.
    """
    try:
        loader.get_template(f"{FOLDER}ended.html")
    except TemplateDoesNotExist:
        return False
    return True


def render(
    template: str,
    context: Mapping[str, Any],
    request: HttpRequest | None = None,
    preferred: Any = None,
) -> SafeString:
    """
    Return the text of ``template``, in the project's layout if possible.

    ``preferred`` is what a ``TemplateResponse`` accepts as a template, to use in place
    of ``template``, or ``None``.

    If the project's engines do not find the template or cannot render the layout, the
    package's own engine renders the template. The second case is logged. If ``DEBUG``
    is true, the error is raised instead, so that developers see their mistake.
    """
    try:
        chosen = template if preferred is None else preferred
        if not isinstance(chosen, (str, list, tuple)):
            return cast("SafeString", chosen.render(dict(context), request))
        return loader.render_to_string(chosen, dict(context), request)
    except Exception as error:
        is_absent = isinstance(error, TemplateDoesNotExist) and (
            str(error).startswith(FOLDER)
        )
        if settings.DEBUG and not is_absent:
            raise
        # A layout and its context processors may raise anything. A person who is
        # signed out must see the reason all the same.
        if not is_absent:
            logger.exception("%s could not be rendered in your layout.", template)
    return render_plain(template, context, request)


def render_plain(
    template: str, context: Mapping[str, Any], request: HttpRequest | None = None
) -> SafeString:
    """Return the text of ``template``, rendered without any code of the project."""
    found = _own_engine().get_template(template)
    return found.render(make_context(dict(context), request, autoescape=True))


@functools.cache
def _own_engine() -> Engine:
    libraries = {
        "i18n": "django.templatetags.i18n",
        "l10n": "django.templatetags.l10n",
        "session_limit": "session_limit.templatetags.session_limit",
    }
    return Engine(dirs=[str(TEMPLATES)], libraries=libraries)
