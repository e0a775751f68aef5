"""The model that needs nothing: offline, deterministic, no language model, and it says so. It makes real tool calls."""

from agentrun.models.builtin.wire import Builtin

__all__ = ["Builtin"]
