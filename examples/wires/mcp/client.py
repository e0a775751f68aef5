"""A program whose model would use the tool: python examples/wires/mcp/client.py [URL]"""

import asyncio
import sys
from typing import Any

from mcp import Client
from mcp.types import ElicitResult

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"


async def ask_human(context: Any, params: Any) -> ElicitResult:
    print(params.message, "Yes.")
    return ElicitResult(action="accept", content={"answer": True})


async def show(progress: float, total: float | None, message: str | None) -> None:
    print(f"... {message}")


async def main() -> None:
    async with Client(f"{URL}/mcp", elicitation_callback=ask_human) as client:
        (tool,) = (await client.list_tools()).tools
        print(tool.name)
        result = await client.call_tool(tool.name, {"message": "llamas"}, progress_callback=show)
        print(getattr(result.content[0], "text", ""))


asyncio.run(main())
