"""HttpOutbox: what the server sends of itself, to addresses that callers named.

Whoever may name an address could have the server write where they cannot reach themselves. So only public addresses are
written to, over https, and those hosts inside the network that the settings name. The address that was looked at is the
one that is connected to: a name that is looked up twice may be told two things.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from agentrun.errors import RequestError
from agentrun.protocols import Notice
from agentrun.utils.addresses import is_public
from agentrun.version import __version__

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)
_PAUSES_S = (0.5, 2.0, 8.0)  # between the attempts to send one notice
_TIMEOUT_S = 10.0
_MOST_WAITING = 1024
_MOST_AT_ONCE = 16
_LAST_S = 5.0  # for what is still to be sent when the server ends
_AGAIN = (408, 429)  # and whatever is the receiver's fault


class _Target(NamedTuple):
    """Where a URL leads."""

    parts: SplitResult
    addresses: Sequence[str]


class HttpOutbox:
    """See the module. `inside` are the hosts within the network that may be written to, as `host` or `host:port`."""

    def __init__(self, inside: Sequence[str]) -> None:
        self._inside = frozenset(host.lower() for host in inside)
        self._sending: set[asyncio.Task[None]] = set()
        self._waiting = 0  # notices that are not delivered yet
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)
        self._client: httpx.AsyncClient | None = None

    async def check(self, url: str) -> None:
        """Raise a RequestError unless the server would send something there."""
        await self._target(url)

    def send(self, notices: Coroutine[Any, Any, Sequence[Notice]]) -> None:
        """Send what this comes to, in the background."""
        task = asyncio.get_running_loop().create_task(self._send(notices))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Give what is on its way a little time."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=_LAST_S)
            for task in late:
                task.cancel()
            if late:
                logger.warning("%d notices were not sent before the server's end", len(late))
                await asyncio.wait(late)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(self, notices: Coroutine[Any, Any, Sequence[Notice]]) -> None:
        try:
            found = await notices
            if self._waiting + len(found) > _MOST_WAITING:
                logger.warning("%d notices are not sent: %d wait already", len(found), self._waiting)
                return
            self._waiting += len(found)
            try:
                await asyncio.gather(*map(self._deliver, found))
            finally:
                self._waiting -= len(found)
        except Exception:
            logger.exception("Notices could not be sent")

    async def _deliver(self, notice: Notice) -> None:
        """Try, and try again a few times."""
        host = urlsplit(notice.url).hostname
        for attempt, pause_s in enumerate((*_PAUSES_S, None)):
            try:
                async with self._places:
                    status = await self._post(notice, attempt)
            except RequestError as error:  # the name leads somewhere else by now
                logger.warning("A notice to %s is not sent: %s", host, error)
                return
            if status is not None and 200 <= status < 300:
                return
            lasting = status is not None and status < 500 and status not in _AGAIN
            if lasting or pause_s is None:
                answered = "cannot be reached" if status is None else f"answers {status}"
                logger.warning("A notice to %s is not sent: it %s", host, answered)
                return
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))

    async def _post(self, notice: Notice, attempt: int) -> int | None:
        """The status of the answer; None if there is none. What the answer says is not read."""
        import httpx

        parts, addresses = await self._target(notice.url)
        if self._client is None:
            # a connection that is kept would be taken for every name that has its address, and proves only one of them
            limits = httpx.Limits(max_keepalive_connections=0)
            trusted = httpx.create_ssl_context()  # with the authorities that SSL_CERT_FILE names
            self._client = httpx.AsyncClient(
                headers={"user-agent": f"agentrun/{__version__}"},
                verify=trusted,
                timeout=_TIMEOUT_S,
                trust_env=False,
                limits=limits,
            )
        url = httpx.URL(notice.url).copy_with(host=addresses[attempt % len(addresses)])
        headers = {**notice.headers, "host": parts.netloc}
        more = {"sni_hostname": parts.hostname}
        try:
            async with self._client.stream(
                "POST", url, content=notice.body, headers=headers, extensions=more
            ) as answer:
                return answer.status_code
        except httpx.TransportError:
            return None

    async def _target(self, url: str) -> _Target:
        parts, port = _read(url)
        host = parts.hostname or ""
        trusted = bool({host, f"{host}:{port}"} & self._inside)
        if parts.scheme != "https" and not trusted:
            raise _refused(f"{url!r} is not https.", "Only hosts in push_hosts are written to without.")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _refused(f"{host} cannot be found.") from None
        addresses = [str(address[0]) for *_, address in found]
        if not trusted and not all(map(is_public, addresses)):
            raise _refused(
                f"{host} is inside the network.", "Whoever runs this server can allow it: push_hosts."
            )
        return _Target(parts, addresses)


def _read(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _refused(f"{url!r} is no URL.") from None
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not is_plain:
        raise _refused(f"{url!r} is no URL of http or https, without a user in it.")
    return parts, port


def _refused(message: str, hint: str | None = None) -> RequestError:
    return RequestError(f"Nothing is sent there: {message}", hint=hint, param="url", code="invalid_url")
