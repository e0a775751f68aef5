"""A user of the shop: python examples/wires/aibot/client.py [URL]"""

import json
import sys
from typing import Any

import httpx

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"
bot = httpx.Client(base_url=f"{URL}/v1/aibot/bots/ibot-shop-demo", headers={"x-user-id": "alice"}, timeout=60)


def show(path: str, body: dict[str, Any]) -> None:
    """Print the text of a stream."""
    with bot.stream("POST", path, json=body) as answer:
        for line in answer.iter_lines():
            data = line.removeprefix("data: ")
            if data and data != "[DONE]":
                print(json.loads(data)["content"], end="")
    print()


conversation = bot.post("/conversation", json={}).json()["conversationId"]
show("/send-message", {"msg": "Apples?", "conversationId": conversation})
show("/send-message", {"msg": "Pears?", "conversationId": conversation})
show("/recommend-questions", {"msg": "Pears?"})
print(bot.get("/conversation").json()["data"][0]["title"])
print(bot.get("/records", params={"conversationId": conversation}).json()["total"], "records")
bot.close()
