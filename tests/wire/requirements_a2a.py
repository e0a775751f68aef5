"""What the A2A wire has to do."""

ROWS: dict[str, tuple[str, str]] = {
    "a2a:stream": (
        "A2A 1.0, 3.1.2 Send Streaming Message",
        "A stream is a task, its artifacts in chunks, and its last status.",
    ),
    "a2a:send": ("A2A 1.0, 3.1.1 Send Message", "A whole answer is the task at its end."),
    "a2a:context": (
        "A2A 1.0, 3.4 Multi-Turn Interactions",
        "A context remembers, and lists its tasks in pages.",
    ),
    "a2a:input_required": (
        "A2A 1.0, TASK_STATE_INPUT_REQUIRED",
        "A task that waits goes on with a message that names it, and takes none once it has ended.",
    ),
    "a2a:resume": (
        "A2A 1.0, 3.1.5 Cancel Task",
        "The execution that waits goes on with the answer, or is cancelled.",
    ),
    "a2a:failure": ("A2A 1.0, TASK_STATE_FAILED", "A failure is a failed task which tells no secret."),
    "a2a:life": (
        "A2A 1.0, 3.1.6 Subscribe to Task",
        "A task that goes on is followed and cancelled by its id; one that has ended is not.",
    ),
    "a2a:disconnect": ("A2A 1.0, 3.5 streaming", "A stream that breaks off leaves its task going."),
    "a2a:errors": (
        "A2A 1.0, 3.3.2 Error Handling",
        "Unknown tasks and push notifications are errors that the clients know.",
    ),
    "a2a:numbers": ("A2A 1.0, 5.4 Error Code Mappings", "What is wrong has the number of the specification."),
    "a2a:version": ("A2A 1.0, 3.6 Versioning", "Another major version is refused, another minor one is not."),
    "a2a:version:old": ("A2A 0.3", "Clients of 0.3 are answered in its words."),
    "a2a:owner": ("A2A 1.0, 13.1 Data Access", "A task is there for the key that started it alone."),
    "a2a:card": (
        "A2A 1.0, 4.4.1 AgentCard",
        "The card has the address that the caller used, and the key it needs.",
    ),
    "a2a:javascript": ("@a2a-js/sdk", "The JavaScript client reads the same tasks."),
}
