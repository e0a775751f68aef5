"""The usual backend: kernel namespaces set up by bubblewrap, a filter for system calls, and warm parents to fork from."""

from agentrun.sandbox.backends.bubblewrap.backend import Bubblewrap

__all__ = ["Bubblewrap"]
