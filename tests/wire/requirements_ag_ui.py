"""What the AG-UI wire has to do."""

ROWS: dict[str, tuple[str, str]] = {
    "ag_ui:messages": (
        "AG-UI 1.0, events; @ag-ui/client verify",
        "Text and reasoning arrive as messages of their own, in an order that the client's own checks accept.",
    ),
    "ag_ui:paths": (
        "the original's path and its documentation",
        "Both /ag-ui/agent and /agui/v1/run answer alike.",
    ),
    "ag_ui:tool:agent": (
        "AG-UI 1.0, TOOL_CALL_RESULT",
        "A tool that the agent ran comes with its result, and nothing waits for the client.",
    ),
    "ag_ui:tool:client": (
        "AG-UI 1.0, pendingToolCallIds",
        "A tool of the client is called with its definition whole, and its result comes back.",
    ),
    "ag_ui:state": (
        "AG-UI 1.0, STATE_SNAPSHOT and STATE_DELTA",
        "Snapshots and patches give the client the agent's state.",
    ),
    "ag_ui:interrupt": (
        "AG-UI 1.0, RunFinishedInterruptOutcome",
        "What a human is asked ends the run with an interrupt that has prompt and schema.",
    ),
    "ag_ui:resume": (
        "AG-UI 1.0, RunAgentInput.resume",
        "The next run's resume entry goes on with the execution that asked.",
    ),
    "ag_ui:error:stream": ("AG-UI 1.0, RUN_ERROR", "A failure is one RUN_ERROR, and nothing follows it."),
    "ag_ui:error:http": (
        "sdk: HttpAgent",
        "A request that starts no run is an HTTP error whose message the client shows.",
    ),
    "ag_ui:abort": ("sdk: abortRun", "A client that aborts ends the run."),
    "ag_ui:types": ("ag-ui-protocol 1.0", "Every event is one that the Python types accept."),
    "ag_ui:version": ("AG-UI 1.0, versioning", "Who declares a version 0 gets its events."),
    "ag_ui:lost": ("HTML, Last-Event-ID", "A lost stream goes on after the event that was seen last."),
}
