"""Forms that send a documented request from the page that documents it; no script from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = """
form { margin: .6rem 0; display: grid; gap: .4rem; }
form textarea { width: 100%; min-height: 6rem; font: .875em ui-monospace, monospace; }
form output { white-space: pre-wrap; font: .875em ui-monospace, monospace; overflow-wrap: anywhere; }
"""

SCRIPT = """
document.querySelectorAll("form[data-path]").forEach((form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(form), out = form.querySelector("output"), query = new URLSearchParams();
    let path = form.dataset.path;
    for (const [name, value] of fields) {
      const [place, key] = name.split(":");
      if (place === "path") path = path.replace(`{${key}}`, encodeURIComponent(value));
      if (place === "query" && value) query.set(key, value);
    }
    const headers = {}, key = document.getElementById("bearer").value;
    if (key) headers["Authorization"] = `Bearer ${key}`;
    const body = fields.get("body");
    if (body !== null) headers["Content-Type"] = "application/json";
    out.textContent = "…";
    try {
      const answer = await fetch(path + (query.size ? `?${query}` : ""),
        { method: form.dataset.method, headers, body: body === null ? undefined : body });
      out.textContent = `${answer.status} ${answer.statusText}\n${await answer.text()}`;
    } catch (error) { out.textContent = String(error); }
  });
});
"""

KEY_FIELD = '<p><label>Bearer key <input id="bearer" type="password" autocomplete="off"></label></p>'


def form(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Render the form of one operation, with a body to begin with.

    Args:
        path: Template with ``{name}`` parts.
        method: In any case.
        operation: As the document describes it.
        document: All of it, for what the operation refers to.
    """
    fields = [
        f'<label>{escape(one["name"])} <input name="{escape(one["in"])}:{escape(one["name"])}"></label>'
        for one in operation.get("parameters", ())
        if one["in"] in {"path", "query"}
    ]
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if media is not None:
        sample = json.dumps(example(media["schema"], document), indent=2)
        fields.append(f'<textarea name="body" aria-label="body">{escape(sample)}</textarea>')
    return (
        f'<form data-path="{escape(path)}" data-method="{escape(method.upper())}">{"".join(fields)}'
        "<button>Send</button><output></output></form>"
    )


def example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> object:
    """Make a value that a schema admits: required members alone, first words, least numbers."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return example(choices[0], document)
    return schema["enum"][0] if "enum" in schema else _of_type(schema, document)


def _of_type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> object:
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {})
            return {name: example(members[name], document) for name in schema.get("required", ())}
        case "array":
            return [example(schema["items"], document)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "string":
            return "x" * schema.get("minLength", 0)
    return None
