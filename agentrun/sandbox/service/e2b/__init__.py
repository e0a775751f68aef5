"""The paths and the protocol of E2B's clients, which so work against this service unmodified."""

from agentrun.sandbox.service.e2b.face import make

__all__ = ["make"]
