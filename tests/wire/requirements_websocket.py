"""What the WebSocket has to do."""

ROWS: dict[str, tuple[str, str]] = {
    "websocket:events": ("own", "A run is its own events, each with its index."),
    "websocket:chat": ("own", "A body of chat completions starts a run."),
    "websocket:session": ("own", "A session remembers what was said before."),
    "websocket:resume": ("own", "An execution that waits goes on with the answer."),
    "websocket:several": ("own", "Several runs on one connection do not wait for each other."),
    "websocket:disconnect": ("own", "A client that goes takes its runs along."),
    "websocket:follow": ("own", "A run that continues is followed from where it was lost."),
    "websocket:errors": ("own", "A wrong message is answered, and the connection goes on."),
    "websocket:size": ("RFC 6455, 7.4.1", "A message that is too large ends the connection with 1009."),
    "websocket:slow": ("own", "An agent waits for a client that does not read, and no other run does."),
    "websocket:limit": ("own", "A connection reads at most 64 runs."),
    "websocket:origin": ("RFC 6455, 10.2", "A web page of elsewhere is refused."),
    "websocket:keys": ("own", "Keys are asked for, by header or by first message."),
}
