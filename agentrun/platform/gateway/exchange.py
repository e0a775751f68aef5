"""Exchange: one request, from its head to the last byte of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentrun.errors import AgentRunError, RequestError, TooLarge, TooSlow
from agentrun.platform.gateway import addresses, refusals
from agentrun.platform.gateway.bodies import BadBody, Body, ChunkedBody
from agentrun.platform.gateway.callers import refuse_strangers, sent_key
from agentrun.platform.gateway.heads import OF_USERS, Answer, Request, read_answer, to_client, to_instance
from agentrun.platform.logs.record import Record
from agentrun.platform.traffic import choose
from agentrun.resources import version_id
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.platform.gateway.inbound import Inbound
    from agentrun.platform.gateway.outbound import Outbound
    from agentrun.platform.instances.live import Live
    from agentrun.platform.instances.pool import Pool

_HEALTH = "/healthz"
_HEAD_END = b"\r\n\r\n"
_TRIES = 3
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


class Exchange:
    """Waits for an instance, then passes bytes on in both directions. Nothing in it is a task but connecting."""

    __slots__ = (
        "_answer", "_began", "_body", "_closes", "_first_byte", "_head", "_held", "_is_over", "_live", "_pool",
        "_request", "_rest", "_tries", "_tunnel", "_was_used", "inbound", "outbound", "record", "session", "touched",
    )  # fmt: skip

    def __init__(self, inbound: Inbound, request: Request, body: Body | ChunkedBody) -> None:
        self.inbound = inbound
        self.outbound: Outbound | None = None
        self.session: str | None = None
        self.touched = inbound.gateway.now
        self.record = Record(ids.new("req_"), "", method=request.method)
        self._request = request
        self._body = body
        self._head: bytes = b""  # as it goes to the instance; afterwards what has come of the answer's
        self._held: list[bytes] = []  # of the body, until there is an instance
        self._rest = b""  # what has come after the body
        self._pool: Pool | None = None
        self._live: Live | None = None
        self._answer: Answer | None = None
        self._began = inbound.gateway.clock()
        self._first_byte = 0.0
        self._tries = 0
        self._is_over = self._was_used = self._tunnel = False
        self._closes = False  # the client's connection, with this answer

    # The way in

    def begin(self) -> None:
        """Find out where it is to go, and a place there."""
        request = self._request
        if request.target == _HEALTH:
            well = refusals.whole(200, b'{"status":"ok"}', {"x-request-id": self.record.request})
            self._say(well, close=not request.keeps_alive)
            return
        try:
            self._aim()
            if "expect" in request.headers and not self._body.done:
                self.inbound.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._seek()
        except AgentRunError as error:
            self.refused(error)

    def asked(self, data: bytes) -> None:
        """More of the request."""
        self.touched = self.inbound.gateway.now
        if self._tunnel:
            assert self.outbound is not None
            self.outbound.transport.write(data)
            return
        if self._body.done:
            self._later(data)
            return
        try:
            size = self._body.feed(data)
        except BadBody as error:
            self._break_off(RequestError(str(error), code="invalid_http"))
            return
        if self._body.total > self.inbound.gateway.limits.body_bytes:
            self._break_off(self._too_large())
            return
        part = data if size == len(data) else data[:size]
        if self.outbound is not None:
            self.outbound.transport.write(part)
        elif not self._is_over:
            self._hold(part)
        if size < len(data):
            self._later(data[size:])

    def granted(self, live: Live) -> None:
        """There is a place at an instance."""
        self._live = live
        self.record.instance = live.id
        outbound = self.inbound.gateway.shelved(live)
        if outbound is not None:
            self.connected(outbound)
        else:
            self.inbound.gateway.connect(self, live)

    def connected(self, outbound: Outbound) -> None:
        """There is a connection to it."""
        if self._is_over:
            outbound.transport.abort()
            return
        self.outbound = outbound
        outbound.exchange = self
        if self.inbound.is_full:  # of answers before this one
            outbound.transport.pause_reading()
        self._was_used = outbound.is_used
        outbound.transport.write(self._head + b"".join(self._held))
        self.touched = self.inbound.gateway.now
        self._held.clear()
        self.inbound.go_on()

    def unreachable(self) -> None:
        """Nobody listens at the instance: it is ending. Nothing was sent, so another may answer."""
        pool, live = self._pool, self._live
        if pool is None or live is None or self._is_over:
            return
        self._live = None
        pool.release(live, 0.0, failed=True)
        pool.retire(live, "It takes no connections")
        self._tries += 1
        try:
            if self._tries >= _TRIES:
                raise refusals.InstanceLost("No instance takes connections.", headers={"retry-after": "1"})
            self._seek()
        except AgentRunError as error:
            self.refused(error)

    def refused(self, error: AgentRunError) -> None:
        """There is no place, or no such address."""
        if self._is_over:
            return
        self._refuse(error, close=not self._request.keeps_alive)

    def _aim(self) -> None:
        request, record, gateway = self._request, self.record, self.inbound.gateway
        place = addresses.find(gateway.routes, request.target, request.headers)
        record.runtime, record.endpoint = place.route.runtime, place.route.endpoint
        record.path = place.target.partition("?")[0]
        key, found_in = sent_key(request.headers)
        caller = gateway.admit(key, record.runtime)
        record.caller = caller.name
        if isinstance(self._body, Body) and (self._body.left or 0) > gateway.limits.body_bytes:
            raise self._too_large()
        headers = request.headers
        if place.route.rules and not caller.trusted:
            headers = {name: value for name, value in headers.items() if not name.startswith(OF_USERS)}
        self.session = _session(request)
        record.version = choose(
            place.route, key=self.session or record.request, headers=headers, query=request.query
        )
        if gateway.routes.is_internal(record.runtime, record.version):
            refuse_strangers(record.runtime, caller, self.inbound.peer, headers)
        self._head = to_instance(
            request,
            place.target,
            self._added(),
            trusted=caller.trusted,
            strip=found_in if caller.name else "",
        )
        self._pool = gateway.instances.pool(version_id(record.runtime, record.version))

    def _added(self) -> str:
        return (
            f"x-request-id: {self.record.request}\r\n"
            f"x-forwarded-for: {self.inbound.peer}\r\n"
            f"x-forwarded-host: {self._request.headers.get('host', '')}\r\n"
            "x-forwarded-proto: http\r\n"
        )

    def _seek(self) -> None:
        if self._pool is None:
            raise refusals.InstanceLost(
                f"Version {self.record.version} may have no instances.", code="no_instances"
            )
        live = self._pool.take(self.session)
        if live is not None:
            self.granted(live)
        else:
            self._pool.ask(self)

    def _hold(self, part: bytes) -> None:
        self._held.append(part)
        if self._body.total > self.inbound.gateway.limits.held_bytes:
            self.inbound.hold_back()

    def _later(self, data: bytes) -> None:
        """Requests that came before this one is answered."""
        if data:
            self._rest += data
            if len(self._rest) > self.inbound.gateway.limits.head_bytes:
                self.inbound.hold_back()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self.inbound.gateway.limits.body_bytes:,} bytes.")

    # The way back

    def answered(self, data: bytes) -> None:
        """More of the answer: passed on as it is, after the head."""
        self.touched = self.inbound.gateway.now
        if self._answer is None:
            self._answer_head(data)
            return
        if self._tunnel:
            self.inbound.transport.write(data)
            return
        self._pass_on(b"", data, 0)

    def _answer_head(self, data: bytes) -> None:
        if not self._first_byte:
            self._first_byte = self.inbound.gateway.clock()
            self._head = b""
        data = self._head + data if self._head else data
        end = data.find(_HEAD_END)
        if end < 0:
            self._head = data
            if len(data) > self.inbound.gateway.limits.head_bytes:
                self._break_off(refusals.InstanceLost("The instance's answer has no end of its headers."))
            return
        head = data[: end + 4]
        try:
            answer = read_answer(head, self._request.method)
        except ValueError:
            self._break_off(refusals.InstanceLost("The instance did not answer in HTTP."))
            return
        self._head = b""
        if answer.status < 200 and answer.status != 101:
            if len(data) > len(head):
                self._answer_head(data[len(head) :])
            return
        self._answer = answer
        self.record.status = answer.status
        self._tunnel = answer.status == 101 and self._request.wants_websocket
        endless = type(answer.body) is Body and answer.body.left is None
        self._closes = endless or not self._request.keeps_alive or self.inbound.gateway.is_draining
        self._pass_on(to_client(head, answer, self._marks(), close=self._closes), data, end + 4)

    def _pass_on(self, head: bytes, data: bytes, start: int) -> None:
        """A head of ours, if it is not sent yet, and what belongs to the body of `data` from `start` on."""
        answer, client = self._answer, self.inbound.transport
        assert answer is not None
        size = len(data) - start
        try:
            ours = size if self._tunnel else answer.body.feed(data, start)
        except BadBody:
            client.write(head)
            self.lost()
            return
        self.record.sent += ours
        body = data if ours == len(data) else memoryview(data)[start : start + ours]
        if head:
            client.writelines((head, body))
        else:
            client.write(body)
        if answer.body.done and not self._tunnel:
            self._end(is_clean=ours == size)

    def lost(self) -> None:
        """The connection to the instance has ended."""
        outbound, self.outbound = self.outbound, None
        if self._is_over:
            return
        if outbound is not None:
            outbound.exchange = None
            outbound.transport.abort()
        answer = self._answer
        if self._tunnel or (answer is not None and type(answer.body) is Body and answer.body.left is None):
            self._finish()
            self.inbound.next(b"", close=True)
        elif answer is None and self._may_ask_again():
            self._ask_again()
        elif answer is None:
            self.refused(refusals.InstanceLost("The instance ended before it answered."))
        else:
            self._cut(answer)

    def _may_ask_again(self) -> bool:
        """Only where nothing can have been done twice."""
        return self._was_used and self._request.method in _SAFE and not (self._first_byte or self._body.total)

    def _ask_again(self) -> None:
        assert self._live is not None
        self._was_used = False
        self.inbound.gateway.connect(self, self._live)

    def _cut(self, answer: Answer) -> None:
        """In the middle of an answer: a stream of events can say so, others cannot."""
        self.record.error = refusals.InstanceLost.code
        if answer.body.between and answer.get("content-type").startswith("text/event-stream"):
            self.inbound.transport.write(refusals.broken_off(self.record.request))
            self._finish()
            self.inbound.next(b"", close=True)
        else:
            self._finish()
            self.inbound.exchange = None
            self.inbound.transport.abort()

    def _marks(self) -> str:
        return f"x-request-id: {self.record.request}\r\nx-agentrun-version: {self.record.version}\r\n"

    # The end

    def abandoned(self) -> None:
        """The client has gone; so may the instance know."""
        if self._is_over:
            return
        if not self._tunnel:
            self.record.error = "client_closed"
        if self.outbound is not None:
            self.outbound.exchange = None
            self.outbound.transport.abort()
        elif self._pool is not None and self._live is None:
            self._pool.leave(self)
        self._finish()

    def check(self, now: float) -> None:
        """Once in a while: has one of the two been silent for too long?"""
        limits = self.inbound.gateway.limits
        silent_s = now - self.touched
        if self.outbound is None or self._tunnel:
            return
        if not self._body.done and silent_s > limits.body_s:
            self._break_off(TooSlow(f"The request's body did not come within {limits.body_s:g} s."))
        elif silent_s > limits.silence_s:
            self._break_off(refusals.InstanceSilent(f"The instance said nothing for {limits.silence_s:g} s."))

    def _break_off(self, error: RequestError) -> None:
        """Something is wrong with one of the two."""
        outbound, self.outbound = self.outbound, None
        if outbound is not None:
            outbound.exchange = None
            outbound.transport.abort()
        elif self._pool is not None and self._live is None:
            self._pool.leave(self)
        if self._is_over:
            return
        if self._answer is not None:
            self._cut(self._answer)
            return
        self._refuse(error, close=True)

    def _refuse(self, error: AgentRunError, *, close: bool) -> None:
        self.record.status, self.record.error = error.status, error.code
        close = close or not self._body.done
        self._say(refusals.refusal(error, self.record.request, close=close), close=close)

    def _say(self, answer: bytes, *, close: bool) -> None:
        """An answer of the gateway's own."""
        self.record.sent = len(answer)
        self.inbound.transport.write(answer)
        self._finish()
        if self._body.done:
            self.inbound.next(self._rest, close=close)
        else:
            self.inbound.linger()

    def _end(self, *, is_clean: bool) -> None:
        """The answer is whole: its connection is kept, and the client may ask again."""
        outbound, self.outbound = self.outbound, None
        answer = self._answer
        assert outbound is not None and answer is not None
        if answer.keeps_alive and is_clean and self._body.done and self._request.minor == "1":
            outbound.shelve(self.inbound.gateway.now)
        else:
            outbound.exchange = None
            outbound.transport.close()
        self._finish()
        if self._body.done:
            self.inbound.next(self._rest, close=self._closes)
        else:
            self.inbound.linger()

    def _finish(self) -> None:
        """Give the place back, and write the record."""
        if self._is_over:
            return
        self._is_over = True
        gateway, record = self.inbound.gateway, self.record
        now = gateway.clock()
        first = (self._first_byte or now) - self._began
        if self._pool is not None and self._live is not None:
            failed = record.status >= 500 or record.error == refusals.InstanceLost.code
            self._pool.release(self._live, first, failed=failed, answered=record.status > 0)
        if record.runtime:
            record.first_byte_ms, record.ms = round(first * 1000, 2), round((now - self._began) * 1000, 2)
            gateway.logs.add(record)


def _session(request: Request) -> str | None:
    """Whose conversation it is, where the request says so."""
    headers = request.headers
    return (
        headers.get("x-agentrun-session-id") or headers.get("x-session-id") or request.query.get("session_id")
    )
