"""JSON, fast."""

import msgspec

dumps = msgspec.json.Encoder().encode
