"""aibot: a bot with an id, which remembers its users and recommends what to ask next.

python examples/wires/aibot/app.py, then python examples/wires/aibot/client.py, or

curl -N http://127.0.0.1:9000/v1/aibot/bots/ibot-shop-demo/send-message -H "content-type: application/json" \\
  -d '{"msg": "Do you have apples?"}'
"""

from collections.abc import AsyncIterator

from agentrun import AgentRequest, AgentRunServer
from agentrun.protocols.aibot import AIBot, BotCall, BotMethods


async def invoke_agent(request: AgentRequest) -> AsyncIterator[str]:
    before = [message.text for message in request.messages[:-1] if message.role == "user"]
    yield f"We have that. ({request.text})"
    if before:
        yield f" You asked before: {', '.join(before)}"


class Shop(BotMethods):
    """What it does otherwise than others; whatever nobody provides is answered with 501."""

    async def get_recommend_questions(self, call: BotCall) -> list[str]:
        return ["What does it cost?", "When is it delivered?", "May I return it?"]


if __name__ == "__main__":
    protocols = ["openai_chat", AIBot(methods=Shop())]
    AgentRunServer(invoke_agent=invoke_agent, bot_id="ibot-shop-demo", protocols=protocols).start()
