"""Two questions on one connection: python examples/wires/websocket/client.py [URL]"""

import json
import sys
import uuid

from websockets.sync.client import connect
from websockets.sync.connection import Connection

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"
SESSION = uuid.uuid4().hex


def ask(socket: Connection, text: str) -> None:
    socket.send(json.dumps({"type": "start", "text": text, "session_id": SESSION}))
    for message in socket:
        event = json.loads(message).get("event", {})
        if event.get("type") == "part.delta":
            print(event["text"], end="", flush=True)
        if event.get("type") in ("run.finished", "run.failed"):
            print()
            return


with connect(URL.replace("http", "ws", 1) + "/ws") as connection:
    ask(connection, "Hello")
    ask(connection, "Are you there?")
