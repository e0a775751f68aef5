"""The outbox proves a receiver's name by its certificate, though it connects to the address that it has looked at."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.protocols import Notice
from agentrun.server.outbox import HttpOutbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for this name that signs itself, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout {key} -out {cert} -subj /CN={name}"
    subprocess.run(
        [*command.split(), "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True
    )
    return cert, key


class Tls:
    """A receiver over TLS: the requests it read, and the names it was asked for."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = asyncio.Queue[bytes]()
        self.names: list[str | None] = []

    @asynccontextmanager
    async def serving(self, cert: Path, key: Path) -> AsyncGenerator[None]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        server = await asyncio.start_server(self._answer, "localhost", 0, ssl=context, family=2)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.put_nowait(head + await reader.readexactly(2))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


async def notices(url: str) -> Sequence[Notice]:
    return [Notice(url=url, body=b"{}", headers={"authorization": "Bearer k"})]


async def test_a_receiver_over_tls_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cert, key = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    receiver = Tls()
    async with receiver.serving(cert, key):
        outbox = HttpOutbox([f"localhost:{receiver.port}"])
        outbox.send(notices(f"https://localhost:{receiver.port}/there"))
        heard = await asyncio.wait_for(receiver.heard.get(), PATIENCE_S)
        await outbox.close()
    assert heard.startswith(b"POST /there HTTP/1.1\r\n")
    assert f"host: localhost:{receiver.port}\r\n".encode() in heard.lower()
    assert set(receiver.names) == {"localhost"}


async def test_who_cannot_prove_the_name_hears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    cert, key = certificate(tmp_path, "elsewhere.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setattr("agentrun.server.outbox._PAUSES_S", ())
    monkeypatch.setattr("agentrun.server.outbox._LAST_S", PATIENCE_S)
    receiver = Tls()
    async with receiver.serving(cert, key):
        outbox = HttpOutbox(["localhost"])
        outbox.send(notices(f"https://localhost:{receiver.port}/there"))
        await outbox.close()
    assert receiver.heard.empty()
    assert "cannot be reached" in caplog.text
