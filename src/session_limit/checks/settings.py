"""Check the value of each setting."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from session_limit.bus import Bus, get_bus
from session_limit.checks.classes import imported, is_subclass
from session_limit.checks.setting_kinds import SETTINGS, is_bus, is_whole_number
from session_limit.conf import conf
from session_limit.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_settings(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check each setting by itself, and warn about unknown names."""
    for name, (id_, kind) in SETTINGS.items():
        if hasattr(settings, name) and not kind.is_valid(getattr(settings, name)):
            yield checks.Error(
                f"{name} must be {kind.expected}, not {getattr(settings, name)!r}.",
                hint=kind.hint,
                id=id_,
            )
    limit = getattr(settings, "SESSION_LIMIT", None)
    if is_whole_number(limit) and limit == 0:
        yield checks.Error(
            "SESSION_LIMIT is 0, so nobody could sign in.",
            hint="None is no limit. To keep a person out, deactivate the account.",
            id="session_limit.E002",
        )
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    if isinstance(path, str):
        yield from _check_rules(path)
    path = getattr(settings, "SESSION_LIMIT_DEVICE", None)
    if isinstance(path, str):
        yield from _check_device(path)
    yield from _check_plays()
    bus = getattr(settings, "SESSION_LIMIT_BUS", None)
    if bus is not None and is_bus(bus):
        yield from _check_bus(bus["BACKEND"])
    for name in dir(settings):
        if name.startswith("SESSION_LIMIT_") and name not in SETTINGS:
            yield checks.Warning(
                f"{name} is not a setting of session_limit, and nothing reads it.",
                hint=f"Did you mean {_nearest(name)}?",
                id="session_limit.W015",
            )


def _check_rules(path: str) -> Iterator[checks.CheckMessage]:
    try:
        rules = import_string(path)
    except ImportError as error:
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" cannot be imported: {error}',
            hint="Use the dotted path of a subclass of session_limit.rules.Rules.",
            id="session_limit.E006",
        )
        return
    if not is_subclass(rules, Rules):
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" is not a subclass of Rules.',
            hint="Make it a subclass of session_limit.rules.Rules.",
            id="session_limit.E007",
        )


def _check_plays() -> Iterator[checks.CheckMessage]:
    if conf.uses_plays():
        return
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    rules = imported(path) if isinstance(path, str) else None
    names = ("play_limit", "play_at_limit", "play_scope")
    unused = [
        f"{path}.{name}()"
        for name in names
        if is_subclass(rules, Rules)
        and getattr(rules, name) is not getattr(Rules, name)
    ]
    settings_ = ("SESSION_LIMIT_PLAYS_AT_LIMIT", "SESSION_LIMIT_PLAY_COOLDOWN")
    unused += [name for name in settings_ if hasattr(settings, name)]
    for name in unused:
        yield checks.Warning(
            f"{name} has no effect, because SESSION_LIMIT_PLAYS is not set.",
            hint="Set SESSION_LIMIT_PLAYS. With None, only the rules limit plays.",
            id="session_limit.W028",
        )


def _check_device(path: str) -> Iterator[checks.CheckMessage]:
    try:
        problem = None if callable(import_string(path)) else "it is not callable"
    except ImportError as error:
        problem = str(error)
    if problem is not None:
        yield checks.Error(
            f'SESSION_LIMIT_DEVICE "{path}" cannot name a device: {problem}.',
            hint="Use the dotted path of a function that takes a request and returns a "
            "session_limit.client.Device.",
            id="session_limit.E020",
        )


def _check_bus(path: str) -> Iterator[checks.CheckMessage]:
    try:
        if not is_subclass(import_string(path), Bus):
            raise TypeError(f"{path} is not a subclass of Bus")  # noqa: TRY301
        bus = get_bus()
    except (ImportError, TypeError) as error:
        yield checks.Error(
            f"The bus of SESSION_LIMIT_BUS cannot be created: {error}.",
            hint="BACKEND is the dotted path of a subclass of session_limit.bus.Bus, "
            "and OPTIONS are its keyword arguments. The extras redis and postgres "
            "install the drivers of those two.",
            id="session_limit.E022",
        )
        return
    yield from bus.check()


def _nearest(name: str) -> str:
    # All names share the prefix, so compare the rest.
    def likeness(known: str) -> tuple[int, int]:
        matcher = difflib.SequenceMatcher(
            a=name.removeprefix("SESSION_LIMIT_"),
            b=known.removeprefix("SESSION_LIMIT_"),
        )
        alike = sum(block.size for block in matcher.get_matching_blocks())
        return alike, -len(known)

    return max(SETTINGS, key=likeness)
