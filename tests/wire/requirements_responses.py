"""What the Responses wire has to do. Facts are those that its clients were seen to depend on."""

ROWS: dict[str, tuple[str, str]] = {
    "responses:order": (
        "fact 31; openai-python ResponseStreamState",
        "response.created comes first, every item is added, told and done in order, response.completed comes last.",
    ),
    "responses:helper": (
        "fact 32; openai-python responses.stream()",
        "The SDK's streaming helper follows every stream: ids never change, no index is added twice.",
    ),
    "responses:sequence": (
        "fact 33",
        "Every event has a sequence_number; they start at 0 and always grow.",
    ),
    "responses:resume": (
        "fact 33; GET /responses/{id}?stream=true&starting_after=N",
        "A stream can be taken up after any sequence_number, while it goes on and when it has ended.",
    ),
    "responses:event_names": (
        "fact 34",
        "The name of each frame's event is the type in its data.",
    ),
    "responses:failure": (
        "fact 35",
        "A failure in a stream is a response.failed with its error, and an error that clients raise.",
    ),
    "responses:function_calls": (
        "fact 36",
        "Calls for the client are function_call items, and function_call_output brings back what they gave.",
    ),
    "responses:custom_tools": (
        "openai ResponseCustomToolCall",
        "Tools that take plain text are called with custom_tool_call items.",
    ),
    "responses:store": (
        "fact 37",
        "Answers are stored unless store is false, and can be read, gone on from, listed and deleted.",
    ),
    "responses:conversation:made": (
        "OpenAI API reference, Conversations",
        "A conversation is made with items and metadata, read, noted of, listed in pages, and forgotten.",
    ),
    "responses:conversation:owner": (
        "OpenAI API reference, Conversations",
        "Another key's conversation, and another user's, is not there.",
    ),
    "responses:conversation:agents": (
        "openai-agents, OpenAIConversationsSession",
        "The Agents SDK keeps its sessions in conversations.",
    ),
    "responses:conversation": (
        "fact 37",
        "A conversation's id stands for all that was said under it.",
    ),
    "responses:background": (
        "fact 37",
        "An answer in the background is queued at once, polled until it is complete, and outlives its client.",
    ),
    "responses:cancel": ("fact 37", "An answer that is not complete can be cancelled by its id."),
    "responses:input_tokens": (
        "fact 37; POST /responses/input_tokens",
        "The tokens of a request can be counted before it is sent.",
    ),
    "responses:usage": (
        "fact 38",
        "Usage has input, output and total tokens, cached ones and those of reasoning.",
    ),
    "responses:fields": (
        "fact 38; Open Responses",
        "A whole answer has every field of the API, null where there is nothing.",
    ),
    "responses:instructions": (
        "OpenAI API reference, instructions",
        "Instructions hold for one request: an answer that goes on from another does not inherit them.",
    ),
    "responses:reasoning": (
        "OpenAI API reference, reasoning items",
        "What the agent thinks is a reasoning item, apart from the text.",
    ),
    "responses:own_tools": (
        "fact 17; openai McpCall",
        "Tools that the agent ran are mcp_call items with their output, never calls for the client.",
    ),
    "responses:approval": (
        "openai McpApprovalRequest, McpApprovalResponse",
        "A question to a human is an mcp_approval_request, and mcp_approval_response answers it.",
    ),
    "responses:structured": (
        "openai responses.parse()",
        "The format that is asked for reaches the agent, and what it answers is parsed.",
    ),
    "responses:item_reference": (
        "AI SDK, @ai-sdk/openai",
        "A client may refer to an item of an earlier answer instead of sending it again.",
    ),
    "responses:retries": (
        "fact 7",
        "A request that an SDK sends again joins the Run that the first one started.",
    ),
    "responses:errors": (
        "facts 4 and 5",
        "What is wrong in a request is a 4xx in OpenAI's shape that points at the place.",
    ),
    "responses:isolation": (
        "project",
        "Nobody reads, goes on from, cancels or deletes what another API key has stored.",
    ),
    "responses:same_text": (
        "project",
        "Streamed or whole, the same agent says the same text here as on every other wire.",
    ),
}
