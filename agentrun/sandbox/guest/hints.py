"""Names for annotations: the modules they come from are large, and a sandbox that starts from nothing waits for each."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Coroutine as Coroutine
    from collections.abc import Mapping as Mapping
    from collections.abc import Sequence as Sequence
    from typing import Any as Any
    from typing import TypeAlias

    Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | int | None"
else:
    Any = Callable = Coroutine = Mapping = Sequence = Json = object
