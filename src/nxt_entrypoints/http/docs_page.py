"""The human page of a role's routes: one HTML file that needs no network, script or font."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code, pre { font-family: ui-monospace, monospace; font-size: .875em; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); border-radius: .4rem; }
.method { display: inline-block; min-width: 4.5em; font-weight: 700; }
.guard { float: right; opacity: .7; font-size: .85em; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """Render an OpenAPI document.

    Args:
        document: As ``openapi_document`` makes it.
    """
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    body = "\n".join(_body(document))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f'<body><h1>{title}</h1><p>Machine-readable: <a href="/openapi.json">openapi.json</a></p>\n{body}\n'
        "</body></html>\n"
    )


def _body(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation))
    for tag in sorted(by_tag):
        yield f"<h2>{escape(tag)}</h2>"
        yield from by_tag[tag]
    yield "<h2>Schemas</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_code(schema)}</details>'


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    guards = " or ".join(scheme for requirement in operation.get("security", []) for scheme in requirement)
    answers = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer['description'])}</td>"
        f"<td>{_reference(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    inputs = [*operation.get("parameters", []), *([operation["requestBody"]] if "requestBody" in operation else [])]
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span><code>{escape(path)}</code>'
        f'<span class="guard">{escape(guards or "open")}</span><br>{escape(operation["summary"])}</summary>'
        f"<p>{escape(operation.get('description', ''))}</p>"
        f"{''.join(_code(item) for item in inputs)}<table>{answers}</table></details>"
    )


def _reference(answer: Mapping[str, Any]) -> str:
    references = [media.get("schema", {}).get("$ref", "") for media in answer.get("content", {}).values()]
    name = references[0].rpartition("/")[2] if references else ""
    return f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>' if name else ""


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
