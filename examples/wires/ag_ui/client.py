"""A user interface in thirty lines: python examples/wires/ag_ui/client.py [URL]"""

import json
import sys
from typing import Any

import httpx

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"


def run(text: str, state: Any, resume: list[Any] | None = None) -> tuple[Any, list[Any]]:
    """Show what the agent says; gives the state after it, and what the agent asks."""
    body = {
        "threadId": "shopping",
        "runId": text,
        "protocolVersion": "1.0",
        "messages": [{"id": text, "role": "user", "content": text}],
        "state": state,
        "resume": resume,
    }
    asked: list[Any] = []
    with httpx.stream("POST", f"{URL}/ag-ui/agent", json=body, timeout=60) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            event = json.loads(line.removeprefix("data: "))
            match event["type"]:
                case "TEXT_MESSAGE_CONTENT":
                    print(event["delta"])
                case "STATE_SNAPSHOT":
                    state = event["snapshot"]
                    print(state)
                case "RUN_FINISHED":
                    asked = event["outcome"].get("interrupts", [])
                case _:
                    pass
    return state, asked


state, _ = run("add milk", {"items": ["bread"]})
state, questions = run("clear", state)
for question in questions:
    print(question["message"], "Yes.")
answers = [{"interruptId": question["id"], "status": "resolved", "payload": True} for question in questions]
run("clear", state, answers)
