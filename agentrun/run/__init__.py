"""Run: one execution of an Agent: an id, a log of Events, one ending."""

from agentrun.run.conversations import Conversations
from agentrun.run.run import Run
from agentrun.run.runs import Runs
from agentrun.run.worker import Worker

__all__ = ["Conversations", "Run", "Runs", "Worker"]
