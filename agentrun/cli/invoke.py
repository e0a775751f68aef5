"""`agentrun invoke`: one question to a running agent, its answer as it comes."""

from __future__ import annotations

import base64
import mimetypes
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentrun.cli import output
from agentrun.cli.ask import Ask
from agentrun.cli.platform.options import Debug
from agentrun.cli.project import settings_here, url_of
from agentrun.cli.said import Said
from agentrun.cli.show import Show
from agentrun.errors import ConfigError


def invoke(
    question: Annotated[list[str], typer.Argument(help="The question, or - to read it from stdin.")],
    url: Annotated[
        str | None,
        typer.Option(
            envvar="AGENTRUN_URL",
            help="Server, OpenAI base URL or chat route.",
            show_default="this project's port here",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="AGENTRUN_API_KEY", help="API key.", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask for.", show_default=False)] = None,
    system: Annotated[str | None, typer.Option(help="System message.", show_default=False)] = None,
    session: Annotated[str | None, typer.Option(help="Session id.", show_default=False)] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="Image file or URL; may be repeated.", show_default=False)
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "-e", "--endpoint", help="Deployed agent's endpoint, of s.yaml here.", show_default=False
        ),
    ] = None,
    template: Annotated[
        Path, typer.Option("-t", "--template", metavar="FILE", help="The s.yaml, for --endpoint.")
    ] = Path("s.yaml"),
    access: Annotated[
        str | None, typer.Option("-a", "--access", help="Platform, for --endpoint.", show_default=False)
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Runtime, if not that of s.yaml.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object when the answer is whole.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Ask a running agent a question.

    The answer's text goes to stdout as it comes; reasoning, tool calls and usage go to stderr. Ctrl-C
    stops the agent's run as well.
    """
    text = _question(" ".join(question))
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": _content(text, image or [])})
    body = {"messages": messages, "model": model, "session_id": session}
    if endpoint is not None or runtime is not None:
        url = _deployed(template, access, runtime, endpoint)
    elif url is None:
        settings = settings_here()
        url = f"{url_of(settings)}{settings.prefix}"
        key = key or next(iter(settings.api_keys), None)
    ask = Ask(url, key, {name: value for name, value in body.items() if value is not None})
    _print_answer(ask, as_json=as_json)


def _deployed(template: Path, access: str | None, runtime: str | None, endpoint: str | None) -> str:
    """The OpenAI base URL of a deployed agent."""
    from agentrun.cli.platform.project import target  # what it takes to look there is heavy

    with target(template, access, runtime) as (client, name):
        found = client.endpoint(name, endpoint).url if endpoint else client.info(name).url
    return f"{found}/openai/v1"


def _print_answer(ask: Ask, *, as_json: bool) -> None:
    said = Said()
    show = None if as_json else Show(said)
    try:
        with ask:
            for event in ask.answer():
                said.add(event)
                if show is not None:
                    show.event(event)
            said.end()
            said.cost = ask.cost()
    finally:
        if show is not None:
            show.stop()
    if show is None:
        output.data(said.as_json(ask.run_id))
    else:
        show.end(ask.run_id)


def _question(given: str) -> str:
    if given != "-":
        return given
    text = sys.stdin.read().strip()
    if not text:
        raise ConfigError("The question on stdin is empty.")
    return text


def _content(text: str, images: list[str]) -> str | list[dict[str, Any]]:
    if not images:
        return text
    parts = [{"type": "image_url", "image_url": {"url": _image_url(image)}} for image in images]
    return [{"type": "text", "text": text}, *parts]


def _image_url(image: str) -> str:
    if image.startswith(("http://", "https://", "data:")):
        return image
    kind = mimetypes.guess_type(image)[0] or ""
    if not kind.startswith("image/"):
        raise ConfigError(f"{image} is no image.", hint="Give a .png, .jpg, .gif or .webp file, or a URL.")
    try:
        data = Path(image).read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {image}: {error.strerror}.") from None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
