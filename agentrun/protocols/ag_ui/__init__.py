"""AG-UI: `POST /ag-ui/agent` and `POST /agui/v1/run`, for user interfaces. Always a stream.

Of several agents, `/ag-ui/agent/{bot_id}` is one.
"""

from __future__ import annotations

from agentrun.config import Settings
from agentrun.errors import AgentRunError
from agentrun.messages import AgentRequest
from agentrun.protocols.ag_ui.encoder import AGUIEncoder
from agentrun.protocols.ag_ui.request import RunAgentInput, StreamedEvent, read
from agentrun.protocols.bots import checked_bot
from agentrun.protocols.openai_errors import error_body
from agentrun.protocols.protocol import Action, Ask, Call, Route
from agentrun.utils.json import dumps


class AGUI:
    """The wire of `@ag-ui/client` and CopilotKit."""

    name = "ag_ui"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ()
    actions: tuple[Action, ...] = ()

    def __init__(self, _: Settings) -> None:
        self.routes = tuple(
            Route(
                path=path,
                summary="Run the agent for a user interface",
                prefixed=False,
                request=RunAgentInput,
                chunk=StreamedEvent,
            )
            for path in ("/ag-ui/agent", "/agui/v1/run", "/ag-ui/agent/{bot_id}")
        )

    def decode(self, ask: Ask) -> AgentRequest:
        request = read(ask.body, ask.headers, self.name)
        if "bot_id" in ask.path:
            request.bot_id = checked_bot(ask.path["bot_id"])
        return request

    def encoder(self, call: Call) -> AGUIEncoder:
        return AGUIEncoder(call)

    def error(self, error: AgentRunError) -> bytes:
        """AG-UI has no words for a request that starts no run: its clients show status and body."""
        return dumps({"error": error_body(error)})
