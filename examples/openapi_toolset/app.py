"""The operations of an HTTP API as tools, by its OpenAPI document; only those that are listed.

python examples/openapi_toolset/shop.py, python examples/openapi_toolset/app.py, then:
agentrun invoke 'Please get_price "apple"'

Needs LangChain: pip install langchain langchain-openai. In a project the API is written in agentrun.yaml:

    tools:
      shop:
        openapi: http://127.0.0.1:9001/openapi.json
        base_url: http://127.0.0.1:9001   # that it is on this machine has to be said
        only: [get_price]                 # the model cannot delete anything
        headers: {authorization: "Bearer ${env:SHOP_KEY}"}

and toolset("shop") is all there is to say. Any framework's toolset() does the same.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import os
from typing import Any

from langchain.agents import create_agent

from agentrun import AgentRunServer
from agentrun.integration.langchain import model, toolset

shop = os.environ.get("SHOP_URL", "http://127.0.0.1:9001")
tools = toolset("shop", openapi=f"{shop}/openapi.json", base_url=shop, only=["get_price"])
agent: Any = create_agent(model(), tools=tools)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
