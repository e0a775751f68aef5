"""Every error AgentRun raises, as one tree.

    AgentRunError
      ConfigError          you can fix this in code or configuration; raised before side effects
        MissingExtra       an optional dependency is not installed
      CallbackError        the agent returned or yielded something that is no answer
      ToolFailed           told to the model, not to the user
      Declined             the human who was asked would not say
      RequestError         the caller sent something invalid             400
        Unauthorized       no key, or one that is not known              401
        PermissionDenied   a known key that may not do this              403
        NotFound           there is no such thing                        404
        MethodNotAllowed   there is, but not for this verb               405
        Conflict           it contradicts what is already there          409
        TooSlow              the caller took too long to ask         408
        TooLarge           more bytes than the server takes              413
        RateLimited        try again later                               429
      Unavailable          not now: draining or starting                 503
      RunTimeout           a Run took longer than it may                 504
      SandboxError         a sandbox could not do what it was asked for  502
        SandboxUnavailable isolation cannot be had here                  503
        SandboxTimeout     the sandbox did not answer in time            504
        SandboxCrashed     the sandbox has ended, and its state with it  410
      DeployError          a version could not be brought up             500
        BuildFailed        what it requires could not be installed
        NotReady           its instance ended, or did not answer in time
      DriverError          what runs instances could not do it           500

A message says what happened with its values; `hint` says what to do about it.
"""

from __future__ import annotations


class AgentRunError(Exception):
    """Root of the tree: catch this to catch them all."""

    code = "agentrun_error"
    status = 500
    request_id = ""  # of the request that it answers

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigError(AgentRunError):
    """The code or the configuration asks for something that cannot be."""

    code = "config_error"


class MissingExtra(ConfigError):
    """An optional dependency is needed and not installed."""

    code = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        packages = " ".join(f'"{package}"' for package in _packages(extra))
        super().__init__(
            f"{what} is not installed.",
            hint=f"It belongs to the extra agentrun[{extra}]. Run: pip install {packages}",
        )


def _packages(extra: str) -> list[str]:
    """What an extra of this package asks for, by its metadata."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("agentrun") or []
    except PackageNotFoundError:  # run from a checkout
        lines = []
    wanted = [
        line.partition(";")[0].strip() for line in lines if f"extra == '{extra}'" in line.replace('"', "'")
    ]
    return wanted or [f"agentrun[{extra}]"]


class CallbackError(AgentRunError):
    """The agent gave a value that AgentRun cannot turn into an answer."""

    code = "invalid_agent_output"


class ToolFailed(AgentRunError):
    """A tool could not do what it was called for; the model is told, and may try another way."""

    code = "tool_failed"


class Declined(AgentRunError):
    """A human was asked and would not say."""

    code = "declined"


class RequestError(AgentRunError):
    """The caller sent something invalid; `param` points at it."""

    code = "invalid_request"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        hint: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.param = param
        self.headers = headers or {}


class Unauthorized(RequestError):
    """No API key was sent, or an unknown one."""

    code = "invalid_api_key"
    status = 401


class PermissionDenied(RequestError):
    """The key is known and may not do this."""

    code = "permission_denied"
    status = 403


class NotFound(RequestError):
    """There is nothing under this name."""

    code = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    """The path exists, but not for this HTTP method."""

    code = "method_not_allowed"
    status = 405


class Conflict(RequestError):
    """The request contradicts what is already there."""

    code = "conflict"
    status = 409


class TooSlow(RequestError):
    """The caller took too long to send its request."""

    code = "request_timeout"
    status = 408


class TooLarge(RequestError):
    """The body is larger than the server takes."""

    code = "request_too_large"
    status = 413


class RateLimited(RequestError):
    """Too much at once; `retry-after` says when to come back."""

    code = "rate_limit_exceeded"
    status = 429


class Unavailable(RequestError):
    """The server is draining or starting."""

    code = "unavailable"
    status = 503


class RunTimeout(AgentRunError):
    """A Run took longer than its first-event, idle or whole-run limit."""

    code = "timeout"
    status = 504


class SandboxError(AgentRunError):
    """A sandbox could not do what it was asked for. An error of the code in it is a result, not this."""

    code = "sandbox_error"
    status = 502


class SandboxUnavailable(SandboxError):
    """The isolation that is asked for cannot be had here; the message says what is missing."""

    code = "sandbox_unavailable"
    status = 503


class SandboxTimeout(SandboxError):
    """The sandbox did not answer in time."""

    code = "sandbox_timeout"
    status = 504


class SandboxCrashed(SandboxError):
    """The sandbox has ended, by itself or because it was ended; what it held is lost."""

    code = "sandbox_crashed"
    status = 410


class DeployError(AgentRunError):
    """A version could not be brought up; what ran before still runs."""

    code = "deploy_failed"


class BuildFailed(DeployError):
    """What the program requires could not be installed."""

    code = "build_failed"


class NotReady(DeployError):
    """An instance ended, or did not answer in time, before it was ready."""

    code = "not_ready"


class DriverError(AgentRunError):
    """What makes instances exist could not do what it was asked for."""

    code = "driver_error"
