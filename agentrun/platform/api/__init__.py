"""The control API: HTTP and JSON, on a Unix socket, or on loopback with a key."""

from agentrun.platform.api.app import control_app

__all__ = ["control_app"]
