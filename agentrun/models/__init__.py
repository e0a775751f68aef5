"""Models by name.

from agentrun.models import resolve

resolve("my-model").client.chat.completions.create(...)
"""

from agentrun.models.meter import Ledger, Spent, listen
from agentrun.models.model import Model
from agentrun.models.registry import names, resolve
from agentrun.models.spec import ModelSpec

__all__ = ["Ledger", "Model", "ModelSpec", "Spent", "listen", "names", "resolve"]
