"""AG-UI: a list that agent and user interface share, and a human who is asked before it is emptied.

python examples/wires/ag_ui/app.py, then python examples/wires/ag_ui/client.py, or

    curl -N http://127.0.0.1:9000/ag-ui/agent -H "content-type: application/json" \\
      -d '{"threadId": "t1", "messages": [{"id": "1", "role": "user", "content": "add milk"}], "state": {"items": ["bread"]}}'
"""

from collections.abc import AsyncIterator
from typing import Any

from agentrun import AgentRequest, AgentRunServer
from agentrun.events import Loose, StateChanged


async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
    state: dict[str, Any] = request.extra.get("state") or {}
    items: list[str] = list(state.get("items", []))
    verb, _, item = request.text.partition(" ")
    if verb == "add":
        yield StateChanged({"items": [*items, item]})
        yield f"{item} is on the list."
    elif verb == "clear":
        sure = await request.ask(f"Remove {len(items)} items?", schema={"type": "boolean"})
        if sure:
            yield StateChanged({"items": []})
        yield "The list is empty." if sure else "I left it as it is."
    else:
        yield "Say: add SOMETHING, or: clear"


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
