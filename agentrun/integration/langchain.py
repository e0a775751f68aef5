"""LangChain: models and tools by name, and any Runnable as an agent.

from agentrun.integration.langchain import model

agent = create_agent(model("my-model"), tools=[...])
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra, ToolFailed
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.messages import AgentRequest
from agentrun.models import Model
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils.config import Config

try:
    from langchain_core.prompts import BasePromptTemplate
    from langchain_core.runnables import Runnable, RunnableSequence
    from langchain_core.tools import StructuredTool, ToolException

    from agentrun.integration.langchain_convert import AgentRunConverter
    from agentrun.integration.langchain_values import Values
except ImportError as error:
    raise MissingExtra("LangChain", "langchain") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__

if TYPE_CHECKING:
    from agentrun.integration.langchain_chat import Chat

_CONVERSATION = ("messages", "history", "chat_history", "conversation")


def model(
    name: str | Model | None = None, *, model: str | None = None, config: Config | None = None, **options: Any
) -> Chat:
    """The model of this name as a ChatOpenAI; `model` asks for another of the same provider.

    Other options are those of ChatOpenAI, such as `temperature`.
    """
    try:
        from agentrun.integration.langchain_chat import Chat
    except ImportError as error:
        raise MissingExtra("langchain-openai", "langchain") from error
    found = named(name, model, config)
    return Chat.of(found, **options)


def toolset(name: str | Toolset, **options: Any) -> list[StructuredTool]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_tool(tool) for tool in tools.toolset(name, **options)]


tool_resource = toolset  # the original has both


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[StructuredTool]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[StructuredTool]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


class _Called(StructuredTool):
    """What it runs is told which call that is for."""

    def run(self, *args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        with called_as(self.name, tool_call_id):
            return super().run(*args, tool_call_id=tool_call_id, **options)

    async def arun(self, *args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        with called_as(self.name, tool_call_id):
            return await super().arun(*args, tool_call_id=tool_call_id, **options)


def _tool(tool: Tool) -> StructuredTool:
    async def call(**arguments: Any) -> str:
        try:
            return await tool.call(arguments)
        except ToolFailed as failure:
            raise ToolException(str(failure)) from failure

    def call_sync(**arguments: Any) -> str:
        try:
            return tool.call_sync(arguments)
        except ToolFailed as failure:
            raise ToolException(str(failure)) from failure

    return _Called(
        name=tool.name,
        description=tool.description,
        args_schema=tool.parameters,
        func=call_sync,
        coroutine=call,
        handle_tool_error=True,
    )


def adapt(runnable: object) -> Callback | None:
    """A callback that streams a Runnable."""
    if not isinstance(runnable, Runnable):
        return None
    known = cast("Runnable[Any, Any]", runnable)

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[object]:
        values = Values(known)
        async for value in known.astream(_input(known, request)):
            for event in values.read(value):
                yield event
        if (answer := values.left) is not None:
            yield answer

    return invoke_agent


def _input(runnable: Runnable[Any, Any], request: AgentRequest) -> object:
    """A prompt gets its variables, anything else the conversation."""
    first = runnable.first if isinstance(runnable, RunnableSequence) else runnable
    conversation = request.openai_messages()
    if not isinstance(first, BasePromptTemplate):
        return conversation
    variables = [*first.input_variables, *first.optional_variables]
    return {name: conversation if name in _CONVERSATION else request.text for name in variables}


__all__ = [
    "AgentRunConverter",
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
