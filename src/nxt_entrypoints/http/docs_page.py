"""The human page of a role's routes: one HTML file that needs no network, script or font."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from nxt_entrypoints.http import try_out

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
nav a { margin-right: .6em; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.5em; font-weight: 700; }
.guard { float: right; opacity: .7; font-size: .85em; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th { text-align: left; font-size: .85em; opacity: .7; font-weight: 400; }
th, td { padding: .2rem 1rem .2rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; width: 1%; }
td:nth-child(2) { width: 30%; }
"""
_CODE = re.compile(r"`([^`]+)`")
_LIMITS: Mapping[str, str] = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "multipleOf": "a multiple of {}",
    "default": "default {}",
}


def docs_page(
    document: Mapping[str, Any], *, document_path: str = "/openapi.json", is_interactive: bool = False
) -> str:
    """Render an OpenAPI document.

    Args:
        document: As ``openapi_document`` makes it.
        document_path: Where it is shown as it is.
        is_interactive: Whether requests can be sent from the page.
    """
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    groups = _groups(document, is_interactive=is_interactive)
    body = "\n".join(_body(document, groups))
    style = _STYLE + (try_out.STYLE if is_interactive else "")
    key, script = (try_out.KEY_FIELD, f"<script>{try_out.SCRIPT}</script>") if is_interactive else ("", "")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head>\n'
        f"<body><h1>{title}</h1><p>{_prose(info.get('description', ''))}</p>"
        f'<p>Machine-readable: <a href="{escape(document_path)}">{escape(document_path[1:])}</a></p>\n'
        f"<nav>{' '.join(_link(tag) for tag in [*groups, 'Schemas'])}</nav>\n{key}{body}\n{script}</body></html>\n"
    )


def _groups(document: Mapping[str, Any], *, is_interactive: bool) -> Mapping[str, list[str]]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            form = try_out.form(path, method, operation, document) if is_interactive else ""
            by_tag.setdefault(tag, []).append(_operation(path, method, operation, form))
    return dict(sorted(by_tag.items()))


def _body(document: Mapping[str, Any], groups: Mapping[str, list[str]]) -> Iterator[str]:
    for tag, operations in groups.items():
        yield f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>'
        yield from operations
    yield '<h2 id="Schemas">Schemas</h2>'
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield (
            f'<details id="{_anchor(name)}"><summary><code>{escape(name)}</code></summary>'
            f"<p>{_prose(schema.get('description', ''))}</p>{_fields(schema)}</details>"
        )


def _operation(path: str, method: str, operation: Mapping[str, Any], form: str) -> str:
    guards = " or ".join(scheme for requirement in operation.get("security", []) for scheme in requirement)
    answers = [
        (f"<code>{escape(status)}</code>", _content(answer), _prose(answer["description"]))
        for status, answer in operation["responses"].items()
    ]
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span><code>{escape(path)}</code>'
        f'<span class="guard">{escape(guards or "open")}</span><br>{escape(operation["summary"])}</summary>'
        f"<p>{_prose(operation.get('description', ''))}</p>"
        f"{_table(('input', 'type', ''), _inputs(operation))}{_table(('answer', 'type', ''), answers)}{form}</details>"
    )


def _inputs(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for parameter in operation.get("parameters", []):
        schema = parameter.get("schema", {})
        text = parameter.get("description") or schema.get("description", "")
        name = _name(parameter["name"], is_required=parameter["required"])
        yield f"{name} {escape(parameter['in'])}", _type(schema), _prose(text)
    if "requestBody" in operation:
        yield "body", _content(operation["requestBody"]), ""


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    return _table(
        ("field", "type", ""),
        [
            (_name(name, is_required=name in required), _type(field), _prose(field.get("description", "")))
            for name, field in schema.get("properties", {}).items()
        ],
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><tr>{titles}</tr>{''.join(lines)}</table>" if lines else ""


def _name(name: str, *, is_required: bool) -> str:
    code = f"<code>{escape(name)}</code>"
    return f'<b title="required">{code}</b>' if is_required else code


def _content(part: Mapping[str, Any]) -> str:
    return " or ".join(
        _type(media["schema"]) if "schema" in media else f"<code>{escape(kind)}</code>"
        for kind, media in part.get("content", {}).items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    """Say in words what a value may be; components are links."""
    limits = [text.format(escape(str(schema[key]))) for key, text in _LIMITS.items() if key in schema]
    return ", ".join((_kind(schema), *limits))


def _kind(schema: Mapping[str, Any]) -> str:
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(_type(choice) for choice in choices)
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(schema.get("format") or schema.get("type") or "any JSON")


def _link(name: str) -> str:
    return f'<a href="#{_anchor(name)}"><code>{escape(name)}</code></a>'


def _anchor(name: str) -> str:
    return escape(name.replace(" ", "-"))


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
