"""AgentRun: the open, self-hosted runtime for AI agents."""

__version__ = "0.1.0"
