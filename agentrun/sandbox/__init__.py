"""Isolated places to run code in.

    from agentrun.sandbox import Sandbox

    async with Sandbox.create(template="python") as box:
        print((await box.run("1 + 1")).text)

`SyncSandbox` is the same for programs without an event loop.
"""

from agentrun.sandbox.backend import Mount
from agentrun.sandbox.contexts import Context
from agentrun.sandbox.ports import Port, SyncPort
from agentrun.sandbox.processes import Process
from agentrun.sandbox.registry import names
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.sync import SyncSandbox
from agentrun.sandbox.template import Limits, Network, Template, TemplateType
from agentrun.sandbox.values import (
    CodeError,
    Execution,
    FileChange,
    FileInfo,
    Finished,
    Isolation,
    Metrics,
    Output,
    ProcessInfo,
    Result,
    Stderr,
    Stdout,
)

__all__ = [
    "CodeError",
    "Context",
    "Execution",
    "FileChange",
    "FileInfo",
    "Finished",
    "Isolation",
    "Limits",
    "Metrics",
    "Mount",
    "Network",
    "Output",
    "Port",
    "Process",
    "ProcessInfo",
    "Result",
    "Sandbox",
    "Stderr",
    "Stdout",
    "SyncPort",
    "SyncSandbox",
    "Template",
    "TemplateType",
    "names",
]
