"""Models by name.

from agentrun.models import resolve

resolve("my-model").client.chat.completions.create(...)
"""

from agentrun.ledger import Cost, Ledger, ModelCost, Spent, listen
from agentrun.models.model import Model
from agentrun.models.registry import names, passed_over, resolve
from agentrun.models.spec import ModelSpec

__all__ = [
    "Cost",
    "Ledger",
    "Model",
    "ModelCost",
    "ModelSpec",
    "Spent",
    "listen",
    "names",
    "passed_over",
    "resolve",
]
