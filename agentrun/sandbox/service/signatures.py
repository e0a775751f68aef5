"""The signatures of the original's clients: AGENTRUN4-HMAC-SHA256 on the data plane, ACS3-HMAC-SHA256 on the control plane."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote

import msgspec

from agentrun.errors import Unauthorized

_DATA, _CONTROL = "AGENTRUN4-HMAC-SHA256", "ACS3-HMAC-SHA256"
_SUFFIX = "aliyun_v4_request"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_FRESH_S = 900
# without these a signature would be good for another host, another body or for ever
_NEEDED = {"host", "x-acs-date", "x-acs-content-sha256"}


class Signed(msgspec.Struct, frozen=True):
    """A request's signature, and what it was made over."""

    algorithm: str
    scope: tuple[str, ...]  # day, region and product, which the key is derived from
    text: str
    signature: str
    body_digest: str | None  # None if the body is not signed

    def is_by(self, secret: str) -> bool:
        """Whether it was made with this secret."""
        made = hmac.new(self._key(secret), self.text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), self.signature.encode())

    def is_over(self, body: bytes) -> bool:
        """Whether it was made over this body, if over any."""
        return self.body_digest is None or self.body_digest == hashlib.sha256(body).hexdigest()

    def _key(self, secret: str) -> bytes:
        if self.algorithm == _CONTROL:
            return secret.encode()
        key = b"aliyun_v4" + secret.encode()
        for part in (*self.scope, _SUFFIX):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def read(method: str, path: str, query: str, headers: Mapping[str, str]) -> Signed | None:
    """The signature of a request; None if it has none, Unauthorized if it is malformed or too old."""
    sent = headers.get("agentrun-authorization") or headers.get("authorization", "")
    algorithm, _, rest = sent.partition(" ")
    if algorithm not in (_DATA, _CONTROL):
        return None
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, _, fields[name] = part.strip().partition("=")
    names = fields.get("SignedHeaders", "").split(";")
    missing = _NEEDED - {*names}
    if missing:
        raise Unauthorized(f"The signature does not cover the headers {', '.join(sorted(missing))}.")
    _check_fresh(headers.get("x-acs-date", ""))
    digest = headers.get("x-acs-content-sha256", "")
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names)
    canonical = "\n".join((method, path, _canonical(query), lines, ";".join(names), digest))
    return Signed(
        algorithm,
        tuple(fields.get("Credential", "").split("/")[1:4]),
        f"{algorithm}\n{hashlib.sha256(canonical.encode()).hexdigest()}",
        fields.get("Signature", ""),
        None if digest == _UNSIGNED else digest,
    )


def _check_fresh(date: str) -> None:
    try:
        made = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise Unauthorized(f"The header x-acs-date is no time: {date!r}.") from None
    age_s = abs((datetime.now(timezone.utc) - made).total_seconds())
    if age_s > _FRESH_S:
        raise Unauthorized(
            f"The request was signed {age_s:.0f} s away from now, by the clock here.",
            hint=f"Set the clocks; {_FRESH_S} s are allowed.",
        )


def _canonical(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote(text, safe="~")
