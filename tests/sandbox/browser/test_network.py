"""The network of a browser: the sandbox's own proxy, and nothing beside it."""

from __future__ import annotations

import pytest

from agentrun.errors import RequestError
from agentrun.sandbox import Sandbox

from ..test_network import _Upstream
from .conftest import READY


async def test_pages_come_from_allowed_hosts_only():
    upstream = _Upstream()
    async with Sandbox.create("aio", network={"allow": ["example.com"]}, warm=0) as box:
        box._box.proxy.connect = upstream.connect
        visit = await box.browser.open("http://example.com/path?q=1")
        assert (visit.url, visit.status) == ("http://example.com/path?q=1", 200)
        assert (await box.browser.read()).text == "hello"
        assert upstream.asked[0] == ("example.com", 80)
        assert upstream.heard[0].startswith(b"GET /path?q=1 HTTP/1.1\r\nhost: example.com\r\n")
        before = set(upstream.asked)
        refused = await box.browser.open("http://other.org/")
        assert refused.status == 403 and "not allowed" in (await box.browser.read()).text
        for url in ("https://other.org/", "https://169.254.169.254/", "https://10.0.0.1/"):
            with pytest.raises(RequestError, match="ERR_TUNNEL_CONNECTION_FAILED|ERR_ADDRESS_UNREACHABLE"):
                await box.browser.open(url)
        for url in ("http://10.0.0.1/", "http://127.0.0.1.nip.io/", "http://0x7f000001.other.org/"):
            assert (await box.browser.open(url)).status == 403
        with pytest.raises(RequestError, match="net::ERR_"):  # past the proxy there is nothing
            await box.browser.open("http://169.254.169.254/latest/")
        assert set(upstream.asked) == before


async def test_what_the_sandbox_serves_itself_is_there_beside_the_network():
    async with Sandbox.create("aio", network={"allow": ["example.com"]}, warm=0) as box:
        await box.files.write("index.html", "<title>own</title>")
        await box.processes.start("exec python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1")
        assert (await box.processes.run(READY)).exit_code == 0
        assert (await box.browser.open("http://localhost:8000/")).title == "own"
