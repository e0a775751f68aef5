"""A server that runs in a sandbox, where there is nothing but Python."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("upgrade") == "websocket":
            self.echo()
        elif self.path == "/slowly":
            self.slowly()
        elif self.path.startswith("/status/"):
            self.answer({}, int(self.path.rpartition("/")[2]))
        else:
            self.tell()

    def do_POST(self) -> None:
        if self.path == "/go-on":
            go_on.set()
        self.tell()

    def tell(self) -> None:
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"method": self.command, "path": self.path, "headers": headers, "size": len(body)}
        self.answer({**told, "body": body[:100].decode("latin-1")})

    def body(self) -> bytes:
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while "transfer-encoding" in self.headers and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.end_headers()
        self.wfile.write(data)

    def slowly(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"one")
        go_on.wait(30)
        self.wfile.write(b"two")

    def echo(self) -> None:
        accept = hashlib.sha1((self.headers["sec-websocket-key"] + GUID).encode()).digest()
        self.send_response(101)
        for name, value in (("upgrade", "websocket"), ("connection", "upgrade")):
            self.send_header(name, value)
        self.send_header("sec-websocket-accept", base64.b64encode(accept).decode())
        if "sec-websocket-protocol" in self.headers:
            self.send_header("sec-websocket-protocol", self.headers["sec-websocket-protocol"])
        self.end_headers()
        self.close_connection = True
        while True:
            first, length = self.rfile.read(2)
            assert length & 0x80 and length & 0x7F < 126, "short messages only"
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length & 0x7F)))
            if first & 0xF == 8 or data == b"close":
                self.wfile.write(b"\x88\x02" + struct.pack("!H", 4001))
                return
            self.wfile.write(bytes([first, len(data)]) + data)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
