"""Probe: learns when a server answers, by a request that waits in its socket's queue until then."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

_AGAIN_S = 0.05


class Probe:
    """Asks for /health until it is answered, whatever the answer; `answered` is set then."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname or "127.0.0.1", parts.port)
        self._connection: http.client.HTTPConnection | None = None
        self._given_up = threading.Event()
        self.answered = threading.Event()

    def __enter__(self) -> Probe:
        threading.Thread(target=self._ask, name="probe", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._given_up.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)  # unlike close, it wakes the thread that reads

    def _ask(self) -> None:
        while not self._given_up.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._connection = self._connect()
                self._connection.request("GET", "/health")
                self._connection.getresponse().read()
                self.answered.set()
                return
            self._given_up.wait(_AGAIN_S)

    def _connect(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(*self._address)
        # only whether it answers is asked, so nobody's certificate has to be trusted for it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(*self._address, context=context)
