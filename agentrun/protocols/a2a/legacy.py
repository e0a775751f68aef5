"""A2A 0.3, which said the same in other words: its requests as those of 1.0, and our answers as its own."""

from __future__ import annotations

from typing import Any, cast

Fields = dict[str, Any]

METHODS = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/list": "ListTasks",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
_NAMES = {"task": "task", "statusUpdate": "status-update", "artifactUpdate": "artifact-update"}
_OPEN = ("submitted", "working")


def params_of(method: str, params: Fields) -> Fields:
    """Parameters of 0.3 as the method of 1.0 has them; what is wrong with them is left for the reader to find."""
    if "PushNotificationConfig" in method:
        return _push_in(params)
    found = dict(params)
    message, options = found.get("message"), found.get("configuration")
    if isinstance(message, dict):
        found["message"] = _message_in(cast("Fields", message))
    if isinstance(options, dict):
        asked = cast("Fields", options)
        found["configuration"] = {
            "returnImmediately": asked.get("blocking") is False,
            "historyLength": asked.get("historyLength"),
            "taskPushNotificationConfig": _config_in(asked.get("pushNotificationConfig")),
        }
    return found


def _push_in(params: Fields) -> Fields:
    """A configuration, or which one is meant."""
    if "pushNotificationConfig" in params:
        config = _config_in(params["pushNotificationConfig"])
        return {**config, "taskId": params.get("taskId")} if isinstance(config, dict) else {}
    return {"taskId": params.get("id"), "id": params.get("pushNotificationConfigId") or ""}


def _config_in(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    fields = cast("Fields", config)
    found = {name: value for name, value in fields.items() if name != "authentication" and value is not None}
    given = fields.get("authentication")
    if isinstance(given, dict):
        known = cast("Fields", given)
        schemes = known.get("schemes")
        first: Any = cast("list[Any]", schemes)[0] if isinstance(schemes, list) and schemes else ""
        found["authentication"] = {"scheme": first, "credentials": known.get("credentials") or ""}
    return {**found, "legacy": True}


def response_of(response: Fields) -> Any:
    """A task, one frame of a stream, or a push configuration, in the words of 0.3."""
    if "configs" in response:
        return [_config_out(config) for config in response["configs"]]
    if "url" in response:
        return _config_out(response)
    for name, kind in _NAMES.items():
        if name in response:
            return _thing(kind, response[name])
    return _thing("task", response) if "status" in response else response


def _config_out(config: Fields) -> Fields:
    found = {name: value for name, value in config.items() if name != "taskId"}
    if "authentication" in found:
        found["authentication"] = {"schemes": [found["authentication"]["scheme"]]}
    return {"taskId": config["taskId"], "pushNotificationConfig": found}


def _message_in(message: Fields) -> Fields:
    parts = message.get("parts")
    if isinstance(parts, list):
        message = {**message, "parts": [_part_in(part) for part in cast("list[Any]", parts)]}
    role = message.get("role")
    known = {name: value for name, value in message.items() if name != "kind"}
    return {**known, "role": f"ROLE_{role.upper()}" if isinstance(role, str) else role}


def _part_in(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    fields = cast("Fields", part)
    file = fields.get("file")
    if not isinstance(file, dict):
        return {name: value for name, value in fields.items() if name != "kind"}
    known = cast("Fields", file)
    return {
        "raw": known.get("bytes"),
        "url": known.get("uri"),
        "mediaType": known.get("mimeType"),
        "filename": known.get("name"),
    }


def _thing(kind: str, thing: Fields) -> Fields:
    found: Fields = {"kind": kind, **thing}
    if "status" in found:
        found["status"] = _status(found["status"])
        if kind == "status-update":
            found["final"] = found["status"]["state"] not in _OPEN
    if "artifact" in found:
        found["artifact"] = _with_parts(found["artifact"])
    for name, change in (("artifacts", _with_parts), ("history", _message_out)):
        if name in found:
            found[name] = [change(one) for one in found[name]]
    return found


def _status(status: Fields) -> Fields:
    state = status["state"].removeprefix("TASK_STATE_").lower().replace("_", "-")
    message = {"message": _message_out(status["message"])} if "message" in status else {}
    return {**status, "state": state, **message}


def _message_out(message: Fields) -> Fields:
    role = str(message["role"]).removeprefix("ROLE_").lower()
    return {"kind": "message", **_with_parts(message), "role": role}


def _with_parts(thing: Fields) -> Fields:
    return {**thing, "parts": [_part_out(part) for part in thing["parts"]]}


def _part_out(part: Fields) -> Fields:
    more = {"metadata": part["metadata"]} if "metadata" in part else {}
    if "text" in part:
        return {"kind": "text", "text": part["text"], **more}
    if "data" in part:
        data = part["data"]
        return {"kind": "data", "data": data if isinstance(data, dict) else {"value": data}, **more}
    names = (("raw", "bytes"), ("url", "uri"), ("mediaType", "mimeType"), ("filename", "name"))
    return {"kind": "file", "file": {new: part[old] for old, new in names if part.get(old)}, **more}
