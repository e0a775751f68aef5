"""What a client shows reaches the model as it was sent: by every wire, through every framework."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_upstream import FakeUpstream
from frameworks import BUILDERS, scripted
from patience import PATIENCE_S

from agentrun.errors import RequestError
from agentrun.integration.media import media_of
from agentrun.messages import File, Image
from agentrun.server import AgentRunServer

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
WAV = base64.b64encode(b"RIFF" + bytes(range(256))).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(range(256))).decode()
TEXT: Any = {"type": "text", "text": "What is this?"}
AN_IMAGE: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
AN_ADDRESS: Any = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
AUDIO: Any = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
A_FILE: Any = {
    "type": "file",
    "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
}
CHAT = "/openai/v1/chat/completions"


@pytest.fixture
def ask(project: Path, upstream: FakeUpstream) -> Any:
    """ask(framework, path, body) -> the answer's status, and what the model was shown beside text."""
    scripted(project, upstream)
    upstream.script = []

    async def asked(framework: str, path: str, body: dict[str, Any]) -> tuple[int, list[Any]]:
        app = AgentRunServer(invoke_agent=BUILDERS[framework]("scripted")).as_fastapi_app()
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=PATIENCE_S) as client,
        ):
            answer = await client.post(path, json=body)
        contents = [message["content"] for sent in upstream.asked for message in sent["messages"]]
        shown = [part for content in contents if isinstance(content, list) for part in content]
        return answer.status_code, [_bare(part) for part in shown if part["type"] != "text"]

    return asked


def _bare(part: Any) -> Any:
    """An image without its level of detail, where that is the one that goes without saying."""
    if part["type"] == "image_url" and part["image_url"].get("detail") == "auto":
        return {"type": "image_url", "image_url": {"url": part["image_url"]["url"]}}
    if part["type"] == "file":  # Pydantic AI has no place for its name
        return {"type": "file", "file": {**part["file"], "filename": "a.pdf"}}
    return part


def chat(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [TEXT, *parts]}]}


@pytest.mark.parametrize("framework", BUILDERS)
@pytest.mark.parametrize(
    "part", [AN_IMAGE, AN_ADDRESS, AUDIO, A_FILE], ids=["image", "address", "audio", "file"]
)
async def test_it_passes_through_the_framework_unharmed(ask: Any, framework: str, part: Any):
    assert await ask(framework, CHAT, chat(part)) == (200, [part])


@pytest.mark.parametrize("framework", BUILDERS)
async def test_what_was_shown_before_is_shown_again(ask: Any, framework: str):
    body = chat(AN_IMAGE)
    body["messages"] += [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Which?"}]
    assert await ask(framework, CHAT, body) == (200, [AN_IMAGE])


SHOWN = {
    "responses": (
        "/openai/v1/responses",
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is this?"},
                        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": f"data:application/pdf;base64,{PDF}",
                        },
                    ],
                }
            ]
        },
        [AN_IMAGE, A_FILE],
    ),
    "messages": (
        "/anthropic/v1/messages",
        {
            "model": "m",
            "max_tokens": 99,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        TEXT,
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                        },
                        {
                            "type": "document",
                            "title": "a.pdf",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        },
                    ],
                }
            ],
        },
        [AN_IMAGE, A_FILE],
    ),
    "ag_ui": (
        "/ag-ui/agent",
        {
            "threadId": "t",
            "runId": "r",
            "tools": [],
            "context": [],
            "messages": [
                {
                    "id": "1",
                    "role": "user",
                    "content": [
                        TEXT,
                        {"type": "image", "source": {"type": "data", "value": PNG, "mimeType": "image/png"}},
                        {"type": "audio", "source": {"type": "data", "value": WAV, "mimeType": "audio/wav"}},
                    ],
                }
            ],
        },
        [AN_IMAGE, AUDIO],
    ),
    "a2a": (
        "/a2a",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/send",
            "params": {
                "message": {
                    "role": "user",
                    "messageId": "m",
                    "parts": [
                        {"kind": "text", "text": "What is this?"},
                        {"kind": "file", "file": {"bytes": PNG, "mimeType": "image/png"}},
                        {
                            "kind": "file",
                            "file": {"bytes": PDF, "mimeType": "application/pdf", "name": "a.pdf"},
                        },
                    ],
                }
            },
        },
        [AN_IMAGE, A_FILE],
    ),
    "aibot": (
        "/v1/aibot/bots/ibot-agentrun-v1/send-message",
        {"msg": "What is this?", "files": ["https://example.com/cat.png"]},
        [AN_ADDRESS],
    ),
}


@pytest.mark.parametrize("wire", SHOWN)
async def test_it_comes_by_every_wire_that_can_show(ask: Any, wire: str):
    path, body, expected = SHOWN[wire]
    assert await ask("langchain", path, body) == (200, expected)


@pytest.mark.parametrize("framework", BUILDERS)
async def test_no_framework_opens_a_file_of_the_server(ask: Any, framework: str, project: Path):
    secret = project / "secret.png"
    secret.write_bytes(b"s3cret")
    status, shown = await ask(
        framework, CHAT, chat({"type": "image_url", "image_url": {"url": secret.as_uri()}})
    )
    assert base64.b64encode(b"s3cret").decode() not in str(shown)
    assert status == 400 or [part["image_url"]["url"] for part in shown] == [secret.as_uri()]


def test_a_data_url_without_base64_has_bytes_all_the_same():
    media = media_of(Image("data:image/svg+xml,%3Csvg%3E"))
    assert (media.media_type, base64.b64decode(media.data)) == ("image/svg+xml", b"<svg>")


@pytest.mark.parametrize(
    "part",
    [
        Image("file:///etc/passwd"),
        Image("ftp://x/y.png"),
        Image("data:image/png;base64"),
        Image("data:image/png;base64,%%%"),
        File(id="file-1"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_the_callers_mistake(part: Any):
    with pytest.raises(RequestError):
        media_of(part)
