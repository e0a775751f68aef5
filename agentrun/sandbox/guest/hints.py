"""Any, for annotations: the module it comes from is large, and a sandbox that starts from nothing waits for each."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
else:
    Any = object
