"""A Python context: runs cells one after the other, in a namespace that lives on."""

from __future__ import annotations

import _ast
import builtins
import os
import sys

from . import confine, display, shorthand
from .hints import TYPE_CHECKING, Any, Coroutine, Mapping
from .slim import encode, late, signal, socket
from .sources import Sources
from .wire import LARGEST, Closed, Wire

if TYPE_CHECKING:
    import traceback
    import types

_ASYNC = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_COROUTINE = 0x80  # a flag of code objects; the module that names it is large
_HERE = os.path.dirname(os.path.abspath(__file__))


def begin(descriptors: list[int], env: Mapping[str, str]) -> None:
    """Serve on the first of the descriptors, with the others as output, until it closes."""
    _settle(descriptors, env)
    Context(Wire(socket.socket(fileno=descriptors[0]))).serve()


def rehearse() -> None:
    """Go through a cell once: what that needs is copied from the parent's memory before somebody waits for it."""
    here, there = socket.socketpair()
    context = Context(Wire(there))
    wire = Wire(here)
    wire.send({"do": "run", "id": 0, "code": "x = 1\nx", "env": {}})
    frame = context.hear()
    context.run(frame["id"], frame["code"], frame["env"])
    while wire.receive()["event"] != "done":
        continue
    here.close()
    there.close()


def _settle(descriptors: list[int], env: Mapping[str, str]) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((null, descriptors[1], descriptors[2])):
        os.dup2(descriptor, number)
    os.closerange(3, descriptors[0])
    os.closerange(descriptors[0] + 1, os.sysconf("SC_OPEN_MAX"))
    _open_streams()
    confine.be_readable()
    confine.name_process("python")
    os.environ.clear()
    os.environ.update(env)
    os.environ.setdefault("MPLBACKEND", "module://agentrun_guest.figures")
    sys.path.insert(0, "")
    _reseed()


def _open_streams() -> None:
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = _writer(1)
    sys.stderr = _writer(2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _writer(number: int) -> Any:
    return open(number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _reseed() -> None:
    """What was random in the parent must not be the same in all its children."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()


class Context:
    """One namespace and who asks for it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._count = 0
        self._running = False
        self._id = 0
        self._loop: Any = None
        self._sources = Sources()
        module = type(sys)("__main__")
        sys.modules["__main__"] = module
        self._names = module.__dict__
        self._names["__builtins__"] = builtins
        self._names["display"] = self._display
        display.on_figure = lambda bundle: self._tell("result", data=bundle)

    def serve(self) -> None:
        while True:
            try:
                signal.signal(signal.SIGINT, self._interrupted)
                frame = self.hear()
                if frame["do"] == "fork":
                    self._fork(self._wire.descriptors(3))
                else:
                    self.run(frame["id"], frame["code"], frame["env"])
            except KeyboardInterrupt:  # it came when the cell was over already
                continue
            except Closed:
                os._exit(0)

    def _interrupted(self, *_: Any) -> None:
        if self._running:
            raise KeyboardInterrupt

    def hear(self) -> dict[str, Any]:
        return self._wire.receive()

    def run(self, id: int, code: str, env: Mapping[str, str]) -> None:
        """Run a cell, and tell what comes of it."""
        self._id = id
        self._count += 1
        before = {name: os.environ.get(name) for name in env}
        os.environ.update(env)
        try:
            try:
                self._running = True
                self._execute(code, f"<cell {self._count}>")
            finally:
                self._running = False
        except BaseException as error:
            self._tell("error", **_described(error))
        _flush()
        for name, value in before.items():
            _restore(name, value)
        self._tell("done", count=self._count)

    def _execute(self, code: str, name: str) -> None:
        source = shorthand.expand(code)
        self._sources.add(name, source)
        tree: Any = compile(source, name, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
        last: Any = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        if tree.body:
            self._evaluate(compile(tree, name, "exec", _ASYNC, dont_inherit=True))
        if last is not None:
            last = _ast.Expression(last.value)
            value = self._evaluate(compile(last, name, "eval", _ASYNC, dont_inherit=True))
            if value is not None and not source.rstrip().endswith(";"):
                self._names["_"] = value
                self._show(value, main=True)

    def _evaluate(self, code: types.CodeType) -> Any:
        value = eval(code, self._names)
        return self._wait(value) if code.co_flags & _COROUTINE else value

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            import asyncio  # costs every sandbox memory, and few need it

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(coroutine)

    def _display(self, *values: Any) -> None:
        for value in values:
            self._show(value)

    def _show(self, value: Any, main: bool = False) -> None:
        self._tell("result", data=display.bundle(value), main=main, more=main)

    def _tell(self, what: str, *, more: bool = False, **fields: Any) -> None:
        """`more` comes at once, so that it can go together."""
        frame = {"event": what, "id": self._id, **fields}
        body = encode(frame)
        if len(body) > LARGEST:
            body = encode({**frame, "data": {"text/plain": f"<{len(body)} bytes: too large to be shown>"}})
        (self._wire.hold if more else self._wire.put)(body)

    def _fork(self, descriptors: list[int]) -> None:
        """Two of this context: the copy goes on with the descriptors that came, as a child of the first process."""
        _flush()
        try:
            helper = os.fork()
        except OSError:  # no more processes or memory; who waits for the copy sees that its wire is closed
            helper = None
        if helper != 0:
            if helper is not None:
                os.waitpid(helper, 0)
            for descriptor in descriptors:
                os.close(descriptor)
            return
        try:
            copy = os.fork()
        except OSError:
            os._exit(1)
        if copy:
            os._exit(0)
        os.setsid()
        os.dup2(descriptors[1], 1)
        os.dup2(descriptors[2], 2)
        os.dup2(descriptors[0], self._wire.fileno())
        for descriptor in descriptors:
            os.close(descriptor)
        _reseed()
        self._wire.send({"event": "forked", "id": 0, "pid": os.getpid()})


def _flush() -> None:
    try:
        display.flush_figures()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # the code has put something else there
        _open_streams()


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _described(error: BaseException) -> dict[str, Any]:
    """The error without the frames that are ours. Nothing it brings along can make this fail."""
    try:
        report = late("traceback").TracebackException.from_exception(error)
        _without_ours(report)
        text, value = "".join(report.format()), str(error)
    except BaseException:
        text, value = "The traceback could not be written.\n", "?"
    return {
        "name": display.clean(type(error).__name__),
        "value": display.clean(value)[: 1 << 16],
        "traceback": display.clean(text)[-(1 << 18) :],
    }


def _without_ours(report: traceback.TracebackException | None) -> None:
    while report is not None:
        report.stack = type(report.stack).from_list(
            [frame for frame in report.stack if os.path.dirname(frame.filename) != _HERE]
        )
        report = report.__cause__ or report.__context__
