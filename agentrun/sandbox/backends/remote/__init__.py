"""Sandboxes on another machine: those of an `agentrun sandbox serve` there."""

from agentrun.sandbox.backends.remote.backend import Elsewhere

__all__ = ["Elsewhere"]
