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
        "What is not there is an error that the clients know.",
    ),
    "a2a:numbers": ("A2A 1.0, 5.4 Error Code Mappings", "What is wrong has the number of the specification."),
    "a2a:version": ("A2A 1.0, 3.6 Versioning", "Another major version is refused, another minor one is not."),
    "a2a:version:old": ("A2A 0.3", "Clients of 0.3 are answered in its words."),
    "a2a:owner": ("A2A 1.0, 13.1 Data Access", "A task is there for the key that started it alone."),
    "a2a:card": (
        "A2A 1.0, 4.4.1 AgentCard",
        "The card has the address that the caller used, and the key it needs.",
    ),
    "a2a:push": (
        "A2A 1.0, 4.3 Push Notification Objects",
        "A task that has ended is sent to the addresses that its caller named, with their token and credentials.",
    ),
    "a2a:push:configs": (
        "A2A 1.0, 3.1.7 to 3.1.10 Push Notification Config operations",
        "Addresses are named, got, listed and deleted.",
    ),
    "a2a:push:states": (
        "A2A 1.0, 4.3 Push Notification Objects",
        "A task that waits for its caller is sent too, and again when it goes on or is cancelled.",
    ),
    "a2a:push:retries": (
        "A2A 1.0, 4.3 Push Notification Objects",
        "A receiver that fails is tried again a few times; one that refuses or redirects is not.",
    ),
    "a2a:push:inside": (
        "A2A 1.0, 13.2 Push Notification Security",
        "Nothing is sent to addresses inside the network, or without TLS, unless the settings name the host.",
    ),
    "a2a:push:owner": ("A2A 1.0, 13.1 Data Access", "The addresses of a task are its caller's alone."),
    "a2a:push:old": ("A2A 0.3", "Clients of 0.3 name addresses in its words, and are sent its words."),
    "a2a:javascript": ("@a2a-js/sdk", "The JavaScript client reads the same tasks."),
}
