"""OpenAIResponses: the routes of this wire."""

from __future__ import annotations

import msgspec
from msgspec import structs

from agentrun.config import Settings
from agentrun.errors import AgentRunError, NotFound, RequestError
from agentrun.events import ENDINGS
from agentrun.messages import AgentRequest
from agentrun.protocols.body import read_body
from agentrun.protocols.openai_errors import error_body
from agentrun.protocols.openai_responses.answer import Deleted, InputTokens, ItemList, Response, ResponseEvent
from agentrun.protocols.openai_responses.conversations import ACTIONS as CONVERSATIONS
from agentrun.protocols.openai_responses.conversations import Added
from agentrun.protocols.openai_responses.encoder import ResponsesEncoder
from agentrun.protocols.openai_responses.ids import response_id, run_of_item, run_of_response
from agentrun.protocols.openai_responses.items import (
    Item,
    ItemReference,
    items_of_messages,
    read_items,
)
from agentrun.protocols.openai_responses.pages import page_of
from agentrun.protocols.openai_responses.request import InputRequest, ResponsesRequest, read, to_request
from agentrun.protocols.openai_responses.resumed import Resumed
from agentrun.protocols.protocol import (
    Action,
    Answer,
    Ask,
    Call,
    Desk,
    Replay,
    Reply,
    Route,
    Stream,
    Whole,
    call_of,
    index_of,
)
from agentrun.protocols.tokens import tokens_read
from agentrun.run import Run
from agentrun.sessions import Turn
from agentrun.utils.json import dumps


class OpenAIResponses:
    """The wire of `openai.responses`."""

    name = "openai_responses"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ((b"openai-version", b"2020-10-01"),)
    routes: tuple[Route, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._default_model = settings.models[0] if settings.models else "agentrun"
        one = "/responses/{response_id}"
        self.actions = (
            Action(
                method="POST",
                path="/responses",
                summary="Ask the agent",
                act=self._create,
                request=ResponsesRequest,
                response=Response,
                chunk=ResponseEvent,
            ),
            Action(
                method="POST",
                path="/responses/input_tokens",
                summary="How many tokens a request would be",
                act=self._input_tokens,
                request=InputRequest,
                response=InputTokens,
            ),
            Action(
                path=one,
                summary="An answer again; with `stream=true` what came after `starting_after`",
                act=self._retrieve,
                response=Response,
                chunk=ResponseEvent,
            ),
            Action(method="DELETE", path=one, summary="Forget an answer", act=self._delete, response=Deleted),
            Action(
                method="POST",
                path=one + "/cancel",
                summary="Stop an answer that is not complete",
                act=self._cancel,
                response=Response,
            ),
            Action(
                path=one + "/input_items",
                summary="What an answer was given to",
                act=self._input_items,
                response=ItemList,
            ),
            *CONVERSATIONS,
        )

    def decode(self, ask: Ask) -> AgentRequest:
        """The request by itself, without what its references stand for."""
        fields, given = read(ask.body)
        items = read_items(given.input) if isinstance(given.input, list) else []
        return to_request(fields, given, items, ask.headers, self.name)

    def encoder(self, call: Call) -> ResponsesEncoder:
        return ResponsesEncoder(call, call.request.model or self._default_model)

    def error(self, error: AgentRunError) -> bytes:
        return dumps({"error": error_body(error)})

    # --- actions

    async def _create(self, ask: Ask, desk: Desk) -> Answer:
        fields, given = read(ask.body)
        items = read_items(given.input) if isinstance(given.input, list) else []
        items = [await self._resolved(item, ask, desk) for item in items]
        request = to_request(fields, given, items, ask.headers, self.name)
        if request.continues is not None:
            await self._check_previous(request.continues, ask, desk)
        run = await _start(given, request, ask, desk)
        if not given.background:
            encoder = self._encoder_for(run)
            return Stream(run=run, encoder=encoder) if request.stream else Whole(run=run, encoder=encoder)
        run.on_disconnect = "continue"
        if request.stream:
            return Stream(run=run, encoder=self._encoder_for(run))
        begun = self.encoder(call_of(run)).response(())
        begun.status = "queued"
        return Reply(body=dumps(begun), headers={"x-run-id": run.id})

    async def _input_tokens(self, ask: Ask, desk: Desk) -> Answer:
        fields, given = read_body(ask.body, InputRequest)
        asked = ResponsesRequest(**structs.asdict(given))
        if asked.input is None:
            asked.input = []
        items = read_items(asked.input) if isinstance(asked.input, list) else []
        items = [await self._resolved(item, ask, desk) for item in items]
        request = to_request(fields, asked, items, ask.headers, self.name)
        if request.continues is not None:
            await self._check_previous(request.continues, ask, desk)
        before = await desk.conversations.history(request, ask.owner) if request.new_only else []
        added = _added(asked, request, ask, desk)
        waiting = await added.look() if added is not None else []
        whole = structs.replace(request, messages=[*before, *waiting, *request.messages])
        return Reply(body=dumps(InputTokens(tokens_read(whole))))

    async def _retrieve(self, ask: Ask, desk: Desk) -> Answer:
        turn = await self._turn(ask, desk)
        if ask.query.get("stream") != "true":
            return Reply(body=dumps(self._response_of(turn)))
        after = index_of(ask.query.get("starting_after", "-1"), "starting_after")
        run = desk.conversations.runs.get(turn.id, ask.owner)
        if run is not None:
            return Replay(run=run, encoder=Resumed(self._encoder_for(run), after))
        encoder = Resumed(self._encoder_of(turn), after)
        frames = b"".join(map(encoder.encode, turn.events))
        return Reply(body=frames, media_type=self.media_type, headers={"cache-control": "no-cache"})

    async def _delete(self, ask: Ask, desk: Desk) -> Answer:
        turn = await self._turn(ask, desk)
        run = desk.conversations.runs.get(turn.id, ask.owner)
        if run is not None:
            run.cancel()
        await desk.conversations.store.delete_turn(ask.owner, turn.id)
        return Reply(body=dumps(Deleted(response_id(turn.id))))

    async def _cancel(self, ask: Ask, desk: Desk) -> Answer:
        turn = await self._turn(ask, desk)
        run = desk.conversations.runs.get(turn.id, ask.owner)
        if run is not None:
            run.cancel()
            while not run.ended:
                await run.changed()
        return Reply(body=dumps(self._response_of(await self._turn(ask, desk))))

    async def _input_items(self, ask: Ask, desk: Desk) -> Answer:
        turn = await self._turn(ask, desk)
        kept = await desk.conversations.store.turn(ask.owner, turn.id) or turn
        return Reply(body=dumps(page_of(items_of_messages(turn.id, kept.request.messages), ask)))

    # --- what is known

    async def _turn(self, ask: Ask, desk: Desk) -> Turn:
        """The answer that the path names, if it is stored and of who asks."""
        id = ask.path["response_id"]
        run_id = run_of_response(id)
        kept = await desk.conversations.store.turn(ask.owner, run_id)
        if kept is None or kept.request.protocol != self.name:
            raise NotFound(f"There is no response {id!r}.", param="response_id", code="response_not_found")
        return await desk.conversations.find(run_id, ask.owner) or kept

    async def _check_previous(self, run_id: str, ask: Ask, desk: Desk) -> None:
        if await desk.conversations.store.turn(ask.owner, run_id) is None:
            raise RequestError(
                f"There is no response {response_id(run_id)!r} to go on from.",
                hint="Answers are stored unless `store` is false.",
                param="previous_response_id",
                code="previous_response_not_found",
            )

    async def _resolved(self, item: Item, ask: Ask, desk: Desk) -> Item:
        """An item, or what it refers to."""
        if not isinstance(item, ItemReference):
            return item
        turn = await desk.conversations.find(run_of_item(item.id), ask.owner)
        known = dumps(self._response_of(turn).output) if turn is not None else b"[]"
        found = [one for one in msgspec.json.decode(known) if one["id"] == item.id]
        if not found:
            raise NotFound(f"There is no item {item.id!r}.", param="input", code="item_not_found")
        return next(iter(read_items(found)), item)

    def _encoder_for(self, run: Run) -> ResponsesEncoder:
        model = run.request.model or self._default_model
        return ResponsesEncoder(call_of(run), model, lambda: run.finished)

    def _encoder_of(self, turn: Turn) -> ResponsesEncoder:
        call = Call(run_id=turn.id, created=int(turn.created), request=turn.request)
        return ResponsesEncoder(call, turn.request.model or self._default_model, lambda: turn.finished)

    def _response_of(self, turn: Turn) -> Response:
        response = self._encoder_of(turn).response(turn.events)
        if turn.status != "running" and not (turn.events and isinstance(turn.events[-1], ENDINGS)):
            response.status = "failed"  # its server ended before it did
        return response


async def _start(given: ResponsesRequest, request: AgentRequest, ask: Ask, desk: Desk) -> Run:
    """Start the Run, with what was added to its conversation since the last."""
    added = _added(given, request, ask, desk)
    if added is None:
        return await desk.start(request)
    request.messages = [*await added.take(), *request.messages]
    try:
        return await desk.start(request)
    except BaseException:
        await added.put_back()
        raise


def _added(given: InputRequest, request: AgentRequest, ask: Ask, desk: Desk) -> Added | None:
    if given.conversation is None or request.session_id is None:
        return None
    return Added(request.session_id, request.user_id, ask.owner, desk)
