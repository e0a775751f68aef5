"""An agent that asks the restaurant: python examples/wires/a2a/client.py [URL]"""

import asyncio
import sys

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageRequest, TaskState

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"


async def say(client: Client, text: str, task_id: str = "") -> str:
    """Show what becomes of a message; gives the id of its task."""
    message = Message(message_id=text, role=Role.ROLE_USER, parts=[Part(text=text)], task_id=task_id)
    async for update in client.send_message(SendMessageRequest(message=message)):
        task_id = update.task.id or task_id
        for part in update.artifact_update.artifact.parts:
            print(part.text, end="", flush=True)
        status = update.status_update.status
        if status.state == TaskState.TASK_STATE_INPUT_REQUIRED:
            print(status.message.parts[0].text)
    return task_id


async def main() -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, URL).get_agent_card()
        print(f"I ask {card.name}.")
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        task = await say(client, "book a table")
        await say(client, "4", task)
        print()


asyncio.run(main())
