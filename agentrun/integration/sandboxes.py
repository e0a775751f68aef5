"""What `sandbox_toolset` of every integration is made of: tools in a sandbox, which belongs to whom the agent works for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from agentrun import project, tools
from agentrun.errors import ConfigError
from agentrun.messages import AgentRequest
from agentrun.run.completer import Told
from agentrun.run.execution import Execution, current_execution
from agentrun.sandbox import registry
from agentrun.sandbox.template import BUILTIN, Template, TemplateType
from agentrun.sandbox.toolset import Call, Held, has_tools, tools_of
from agentrun.tools import Toolset
from agentrun.tools.calling import current_call
from agentrun.utils import ids, portal
from agentrun.utils.config import Config

logger = logging.getLogger(__name__)
_IDLE_S = 300.0

Sharing: TypeAlias = Literal["session", "run", "shared"]
Scope: TypeAlias = Sharing | Callable[[AgentRequest], str]


def sandbox_tools(
    template_name: str | Template,
    *,
    template_type: TemplateType = TemplateType.CODE_INTERPRETER,
    sandbox_idle_timeout_seconds: float | None = None,
    scope: Scope = "session",
    original_names: bool = False,
    max_output_chars: int = 20_000,
    max_sandboxes: int = 100,
    local_artifact_dir: str | None = None,
    config: Config | None = None,
    **options: Any,
) -> Toolset:
    """The tools of a sandbox, which is made from this template when the first of them is called.

    `scope` says who shares a sandbox: each `session` has its own, or each `run`, or it is `shared` by all, or by the
    requests for which a function gives the same key. Without a session it belongs to the run, and ends with it.
    Further options are those of `agentrun.tools.toolset`. `config` holds credentials, which nothing here needs.
    """
    template = _template(template_name, template_type, sandbox_idle_timeout_seconds)
    if not callable(scope) and scope not in get_args(Sharing):
        known = ", ".join(get_args(Sharing))
        raise ConfigError(f"scope is {scope!r}; it has to be one of {known}, or a function of the request.")
    held = Held(template, max_sandboxes)
    folder = None if local_artifact_dir is None else Path(local_artifact_dir)
    made = tools_of(
        held, template_type, _Callers(held, scope, folder).call, max_output_chars, original=original_names
    )
    name = template_name if isinstance(template_name, str) else "sandbox"
    return tools.toolset(Toolset(name, made, "a sandbox"), **options)


def _template(name: str | Template, kind: TemplateType, idle_s: float | None) -> Template:
    """The template, ended after the idle time that is asked for, or its own, or a usual one."""
    label, template = registry.resolve(_known(name, kind), {})
    if template.type is not kind:
        raise ConfigError(
            f'The sandbox template "{label}" is of type {template.type.value}, not {kind.value}.',
            hint=f"Ask for template_type=TemplateType.{template.type.name}.",
        )
    if not has_tools(kind):
        raise ConfigError(f"There are no tools for sandboxes of type {kind.value}.")
    if idle_s is None:
        idle_s = template.idle_timeout_s if "idle_timeout_s" in template.model_fields_set else _IDLE_S
    return registry.resolve(template, {"idle_timeout_s": idle_s})[1]


def _known(name: str | Template, kind: TemplateType) -> str | Template:
    """The name; where no template is configured at all, and not in production, a built-in one of the type stands in."""
    known = registry.names()
    if isinstance(name, Template) or name in known or set(known) > set(BUILTIN) or project.in_production():
        return name
    stand_in = next((label for label, template in BUILTIN.items() if template.type is kind), name)
    logger.warning('Sandbox "%s" is made from the template "%s" (no sandbox is configured).', name, stand_in)
    return stand_in


class _Callers:
    """On whose behalf tools are called."""

    def __init__(self, held: Held, scope: Scope, folder: Path | None) -> None:
        self._held = held
        self._scope = scope
        self._folder = folder
        self._runs: set[str] = set()  # whose sandbox ends with them

    def call(self) -> Call:
        """Whom the code that runs here works for."""
        execution, calling = current_execution.get(), current_call.get()

        def tell(text: str) -> None:
            if execution is not None and calling is not None:
                execution.put(Told(calling.tool, calling.call_id, text))

        def show(name: str, media_type: str, data: bytes) -> str | None:
            saved = None if self._folder is None else _saved(self._folder, name, data)
            kept = None if execution is None else execution.keep(name, media_type, data)
            return saved if kept is None else kept.url

        return Call(self._key(execution), tell, show)

    def _key(self, execution: Execution | None) -> str:
        if self._scope == "shared" or execution is None:
            return "shared"
        request = execution.request
        if callable(self._scope):
            return f"key {self._scope(request)}"
        if self._scope == "session" and request.session_id is not None:
            return repr((execution.owner, request.bot_id, request.user_id, request.session_id))
        if execution.id not in self._runs:
            self._runs.add(execution.id)
            execution.when_over(partial(self._end, execution.id))
        return execution.id

    def _end(self, run_id: str) -> None:
        self._runs.discard(run_id)
        portal.start(self._held.drop(run_id))


def _saved(folder: Path, name: str, data: bytes) -> str:
    """Write what was made into the folder that was asked for, under a name of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{ids.new('')}-{name}"
    path.write_bytes(data)
    return str(path)
