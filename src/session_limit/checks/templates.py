"""System checks for the templates of the package's pages, as the project sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from django.apps import apps
from django.core import checks
from django.template import Context, Template, TemplateDoesNotExist
from django.template.backends.django import Template as BackendTemplate
from django.template.base import NodeList, VariableNode
from django.template.loader import get_template
from django.template.loader_tags import BlockContext, BlockNode, ExtendsNode
from django.template.utils import get_app_template_dirs

APP = "session_limit"
# The pages that people need most, and the blocks that hold what they say.
PAGES = ("ended.html", "choose.html", "refused.html", "sessions.html")
_CONTENT = ("content", "page")


def check_templates(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check that the package's pages can be found and show their content.

    A project may replace the layout ``session_limit/base.html``. A layout without the
    block ``content`` shows pages that are empty.
    """
    empty = []
    for name in (f"{APP}/{page}" for page in PAGES):
        try:
            template = get_template(name)
            if isinstance(template, BackendTemplate) and _is_empty(template.template):
                empty.append(name)
        except TemplateDoesNotExist as error:
            yield _not_found(name, error)
            return
        except Exception as error:  # noqa: BLE001 TEMPLATES and templates may be wrong
            yield _broken(name, error)
            return
    if empty:
        yield checks.Error(
            f"The layout of {', '.join(empty)} has no block "
            '"content", so these pages are empty. People are not told why they were '
            "signed out, and cannot sign in at the limit.",
            hint="Add {% block content %}{% endblock %} to the layout that "
            "session_limit/base.html extends, or override session_limit/base.html with "
            "a block content inside the block that your layout has.",
            id="session_limit.E406",
        )
    yield from _check_hidden()


def _not_found(name: str, error: TemplateDoesNotExist) -> checks.CheckMessage:
    if str(error) != name:
        return _broken(name, error)  # a layout that it extends does not exist
    return checks.Warning(
        f"No engine in TEMPLATES finds {name}, so the pages of session_limit do not "
        "have the layout of your site.",
        hint='Add an engine "django.template.backends.django.DjangoTemplates" with '
        "APP_DIRS set to True. If this project serves only an API, silence this check.",
        id="session_limit.W408",
    )


def _broken(name: str, error: Exception) -> checks.CheckMessage:
    return checks.Error(
        f"The template {name} cannot be used: {type(error).__name__}: {error}",
        hint="Correct the template, or the layout that it extends.",
        id="session_limit.E409",
    )


def _is_empty(template: Template) -> bool:
    """
    Return whether the blocks with the content of ``template`` are never rendered.

    Return ``False`` if this cannot be known, or if the template has no such block.
    """
    context = Context()
    with context.bind_template(template):
        blocks, root = _inherit(template, context)
    if root is None:
        return False
    own = {node.name for node in _blocks(template.nodelist)}
    wanted = own.intersection(_CONTENT)
    return bool(wanted) and wanted.isdisjoint(_rendered(root.nodelist, blocks))


def _blocks(nodes: NodeList) -> list[BlockNode]:
    return cast("list[BlockNode]", nodes.get_nodes_by_type(BlockNode))


def _inherit(
    template: Template, context: Context
) -> tuple[BlockContext, Template | None]:
    """
    Return the blocks of ``template`` and of its layouts, and the outermost layout.

    The layout is ``None`` if a variable names a layout, which a request may decide.
    """
    blocks, current = BlockContext(), template
    while True:
        extends = [each for each in current.nodelist if isinstance(each, ExtendsNode)]
        if not extends:
            blocks.add_blocks({node.name: node for node in _blocks(current.nodelist)})
            return blocks, current
        blocks.add_blocks(extends[0].blocks)
        parent: Any = extends[0].parent_name
        if not parent.resolve(context, ignore_failures=True):
            return blocks, None
        current = extends[0].get_parent(context)


def _rendered(nodes: NodeList, blocks: BlockContext) -> Iterator[str]:
    """Yield the names of the blocks in ``nodes``, and of those inside these blocks."""
    for node in nodes:
        if isinstance(node, BlockNode):
            yield node.name
            # The definition that is rendered is the last. It may render the one before.
            for definition in reversed(blocks.blocks[node.name]):
                yield from _rendered(definition.nodelist, blocks)
                if not _uses_super(definition.nodelist):
                    break
        else:
            for attribute in node.child_nodelists:
                children = getattr(node, attribute, None)
                if children is not None:
                    yield from _rendered(children, blocks)


def _uses_super(nodes: NodeList) -> bool:
    return any(
        str(cast("VariableNode", node).filter_expression).startswith("block.super")
        for node in nodes.get_nodes_by_type(VariableNode)
    )


def _check_hidden() -> Iterator[checks.CheckMessage]:
    """Warn about templates of a project that are found only after the package's own."""
    directories = list(get_app_template_dirs("templates"))
    own = Path(apps.get_app_config(APP).path, "templates")
    if own not in directories:
        return
    later = directories[directories.index(own) + 1 :]
    names = [
        path.relative_to(own).as_posix()
        for path in sorted(own.rglob("*"))
        if path.is_file()
    ]
    for directory in later:
        hidden = [name for name in names if (directory / name).is_file()]
        hidden = [name for name in hidden if _is_loaded_from(own / name, name)]
        if hidden:
            yield checks.Warning(
                f"{directory / hidden[0]} is never used, because its app is below "
                "session_limit in INSTALLED_APPS. The template of session_limit is "
                "found first.",
                hint="Move the app above session_limit, or put the template into a "
                'directory of TEMPLATES["DIRS"].',
                id="session_limit.W407",
            )


def _is_loaded_from(path: Path, name: str) -> bool:
    try:
        template = get_template(name)
    except Exception:  # noqa: BLE001 TEMPLATES and templates may be wrong
        return False
    origin = getattr(template, "origin", None)
    return getattr(origin, "name", None) == str(path)
