"""`/docs`: the OpenAPI document as one page that needs no other host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee; }} a {{ color: #8cf; }} }}
summary {{ cursor: pointer; padding: .3rem 0; }}
summary b {{ display: inline-block; width: 4.5rem; }}
pre {{ overflow: auto; padding: .7rem; background: #8881; border-radius: .3rem; font-size: .85rem; }}
</style>
<h1>{title} {version}</h1>
<p>The same as a document for tools: <a href="{base}/openapi.json">openapi.json</a>.</p>
{operations}
</html>
"""


def page(document: Mapping[str, Any], base: str) -> str:
    """The document as HTML."""
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        base=escape(base),
        operations="\n".join(_operations(document, base)),
    )


def _operations(document: Mapping[str, Any], base: str) -> Iterator[str]:
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
            yield f"{escape(operation.get('summary', ''))}</summary>"
            yield f"<pre>{escape(_curl(method, base + path, operation, schemas))}</pre>"
            for title, content in _contents(operation):
                for media_type, body in content.items():
                    shown = json.dumps(
                        _resolved(body.get("schema", {}), schemas), indent=2, ensure_ascii=False
                    )
                    yield f"<p>{escape(title)}: {escape(media_type)}</p><pre>{escape(shown)}</pre>"
            yield "</details>"


def _contents(operation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "requestBody" in operation:
        yield "Request", operation["requestBody"]["content"]
    for status, answer in operation["responses"].items():
        yield f"{status}, {answer['description']}", answer.get("content", {})


def _curl(method: str, url: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    command = f"curl {url}" if method == "get" else f"curl -X {method.upper()} {url}"
    if operation.get("security"):
        command += ' -H "authorization: Bearer $AGENTRUN_API_KEY"'
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = _resolved(body, schemas).get("properties", {})
    if "messages" in fields:
        question = json.dumps(
            {"messages": [{"role": "user", "content": "Hello"}], "stream": "stream" in fields}
        )
        command += f" -H 'content-type: application/json' -d '{question}'"
    return command


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema that is only a reference, looked up."""
    return schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
