"""What the Responses wire has to do."""

ROWS: dict[str, tuple[str, str]] = {}
