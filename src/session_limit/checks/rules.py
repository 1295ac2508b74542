"""System checks for the project's subclass of ``Rules``."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from session_limit.checks.classes import is_subclass, rules_class, rules_path
from session_limit.rules import Rules

# The public names of the base class, which a subclass may override.
METHODS = [name for name in vars(Rules) if not name.startswith("_")]
PLAY_METHODS = [name for name in METHODS if name.startswith("play_")]


def check_rules(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check that ``SESSION_LIMIT_RULES`` names a class whose methods can be called.

    Each method that overrides one of ``Rules`` must accept the same arguments. Also
    warn about a public attribute whose name looks like a misspelt method.
    """
    path = rules_path()
    if not isinstance(path, str):
        return  # check_settings() reports it
    try:
        rules = import_string(path)
    except Exception as error:  # noqa: BLE001 a project's module may raise anything
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
        return
    yield from _check_creation(rules, path)
    for name in METHODS:
        yield from _check_method(rules, name, path)
    for name in dir(rules):
        yield from _check_name(rules, name, path)


def _check_creation(rules: type, path: str) -> Iterator[checks.CheckMessage]:
    """Report a class that cannot be called without arguments."""
    problem = None
    if inspect.isabstract(rules):
        abstract = sorted(getattr(rules, "__abstractmethods__", ()))
        problem = f"it does not define {', '.join(abstract)}()"
    else:
        try:
            inspect.signature(rules).bind()
        except TypeError as error:
            problem = str(error)
        except ValueError:  # a class without a signature
            return
    if problem is not None:
        yield checks.Error(
            f"{path} cannot be created without arguments: {problem}. Every sign-in "
            "would fail.",
            hint="One instance serves the whole process. Give __init__() no arguments "
            "that have to be passed.",
            id="session_limit.E037",
        )


def _check_method(rules: type, name: str, path: str) -> Iterator[checks.CheckMessage]:
    """Report a method of ``rules`` that the package could not call."""
    override = inspect.getattr_static(rules, name)
    if override is inspect.getattr_static(Rules, name):
        return
    signature = inspect.signature(getattr(Rules, name))
    wanted = f"def {name}({', '.join(signature.parameters)})"
    problem = _problem(rules, name, override)
    if problem is not None:
        yield checks.Error(
            f"{path}.{name}() {problem}. Every call of it would fail.",
            hint=f"Write it as a method: {wanted}.",
            id="session_limit.E033",
        )


def _problem(rules: type, name: str, override: Any) -> str | None:
    """Return why the package cannot call the method ``name``, or ``None`` if it can."""
    if isinstance(override, property | functools.cached_property):
        return "is a property, not a method"
    method = getattr(rules, name)
    if not callable(method):
        return f"is not a method, but {method!r}"
    # A decorator such as contextmanager() may make an ordinary function of these.
    if inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method):
        return "is asynchronous or a generator, and returns no value when it is called"
    # The first parameter is "self", unless the method is bound to the class or to
    # nothing. The package passes the others by position.
    parameters = list(inspect.signature(getattr(Rules, name)).parameters)
    is_bound = isinstance(override, staticmethod | classmethod) or not hasattr(
        override, "__get__"
    )
    given = parameters[1:] if is_bound else parameters
    try:
        inspect.signature(method).bind(*given)
    except TypeError:
        return (
            f"takes the arguments {inspect.signature(method)}, but is called as "
            f"{name}({', '.join(parameters[1:])})"
        )
    except ValueError:  # a function that is written in C may have no signature
        pass
    return None


def _check_name(rules: type, name: str, path: str) -> Iterator[checks.CheckMessage]:
    """Warn about the attribute ``name`` if its name looks like a misspelt method."""
    if name.startswith("_") or name in METHODS:
        return
    meant = meant_method(name)
    # A class that overrides limit() may well have a helper or a table named "limits".
    if meant is None or getattr(rules, meant) is not getattr(Rules, meant):
        return
    yield checks.Warning(
        f"{path}.{name} is not a method of Rules, so the package never calls it.",
        hint=f"Did you mean {meant}()? If it is a helper, begin its name with an "
        "underscore.",
        id="session_limit.W034",
    )


def meant_method(name: str) -> str | None:
    """Return the method of ``Rules`` whose name resembles ``name``, or ``None``."""
    plain = {each.replace("_", ""): each for each in METHODS}
    squeezed = name.replace("_", "").lower()
    for prefix in ("get", "session", "user", "compute", "calculate", "find"):
        rest = squeezed.removeprefix(prefix)
        if rest != squeezed and rest in plain:
            return plain[rest]
    found = difflib.get_close_matches(squeezed, plain, n=1, cutoff=0.85)
    return plain[found[0]] if found else None


def check_without_effect(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn about rules and settings that have no effect beside the other settings."""
    rules, path = rules_class(), rules_path()
    if not hasattr(settings, "SESSION_LIMIT_PLAYS"):
        unused = [
            f"{path}.{name}()"
            for name in PLAY_METHODS
            if getattr(rules, name) is not getattr(Rules, name)
        ]
        ours = ("PLAYS_AT_LIMIT", "PLAY_COOLDOWN", "PLAY_LEASE")
        names = [f"SESSION_LIMIT_{name}" for name in ours]
        for name in [*unused, *(name for name in names if hasattr(settings, name))]:
            yield checks.Warning(
                f"{name} has no effect, because SESSION_LIMIT_PLAYS is not set.",
                hint="Set SESSION_LIMIT_PLAYS. With None, only the rules limit plays.",
                id="session_limit.W028",
            )
    for limit, at_limit, method, alone in [
        (
            "SESSION_LIMIT",
            "SESSION_LIMIT_AT_LIMIT",
            "limit",
            "Only accounts with a limit of their own (AccountLimit) are limited.",
        ),
        (
            "SESSION_LIMIT_PLAYS",
            "SESSION_LIMIT_PLAYS_AT_LIMIT",
            "play_limit",
            "No account is limited.",
        ),
    ]:
        policy = getattr(settings, at_limit, None)
        if (
            getattr(settings, limit, 0) is None
            and policy in ["deny", "ask"]
            and getattr(rules, method) is getattr(Rules, method)
        ):
            yield checks.Warning(
                f'{at_limit} = "{policy}" decides what happens at the limit, but '
                f"{limit} is None, which is no limit. {alone}",
                hint=f"Set {limit} to a number, or override {method}() in "
                "SESSION_LIMIT_RULES.",
                id="session_limit.W036",
            )
