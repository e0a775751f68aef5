"""Where the original SDK has its AgentRunConverter."""

from agentrun.integration.langchain import AgentRunConverter

__all__ = ["AgentRunConverter"]
