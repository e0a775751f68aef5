"""Waiting for many descriptors at once; whoever is ready gets its turn."""

from __future__ import annotations

import select

from .hints import Any, Callable

READ, WRITE = select.POLLIN, select.POLLOUT


class Turns:
    """What is done when a descriptor is ready, for each of them."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._actions: dict[int, Callable[[], object]] = {}

    def register(self, file: Any, event: int, action: Callable[[], object]) -> None:
        """Call the action whenever the file is ready for the event, or broken."""
        descriptor = _number(file)
        if descriptor in self._actions:
            raise KeyError(f"{descriptor} is waited for already")
        self._poll.register(descriptor, event)
        self._actions[descriptor] = action

    def unregister(self, file: Any) -> None:
        descriptor = _number(file)
        del self._actions[descriptor]
        self._poll.unregister(descriptor)

    def take(self, timeout_s: float | None) -> None:
        """Wait until some are ready, and let each have its turn; who was registered first is the last.

        So whoever asks for something, and is there from the beginning, is heard after all that has happened before.
        """
        found = self._poll.poll(None if timeout_s is None else timeout_s * 1000)
        for descriptor, action in [(number, self._actions[number]) for number, _ in reversed(found)]:
            # another one's turn may have closed it, and its number may be another file's by now
            if self._actions.get(descriptor) is action:
                action()


def _number(file: Any) -> int:
    return file if isinstance(file, int) else file.fileno()
