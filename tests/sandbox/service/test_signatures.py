"""Signed requests: what they cover cannot be changed, and they grow old. That the real client's are taken is shown by it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from .conftest import Service, create

KEY = "of the signer"
DATA, CONTROL = "AGENTRUN4-HMAC-SHA256", "ACS3-HMAC-SHA256"
SIGNED = "host;x-acs-content-sha256;x-acs-date"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("signed"), "--key", KEY) as running:
        with running.client(KEY) as client:
            client.delete(f"/sandboxes/{create(client)}")
        yield running


def signed(
    request: httpx.Request, algorithm: str, *, key: str = KEY, signed: str = SIGNED, age_s: float = 0
) -> httpx.Request:
    """The request with a signature, as the original documents it."""
    when = datetime.now(timezone.utc) - timedelta(seconds=age_s)
    digest = "UNSIGNED-PAYLOAD" if algorithm == DATA else hashlib.sha256(request.content).hexdigest()
    request.headers["x-acs-date"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    request.headers["x-acs-content-sha256"] = digest
    lines = "".join(f"{name}:{request.headers[name]}\n" for name in signed.split(";"))
    path, _, query = request.url.raw_path.decode().partition("?")
    canonical = "\n".join((request.method, path, query, lines, signed, digest))
    text = f"{algorithm}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    scope = f"/{when:%Y%m%d}/somewhere/agentrun/aliyun_v4_request" if algorithm == DATA else ""
    secret = key.encode()
    if algorithm == DATA:
        secret = b"aliyun_v4" + secret
        for part in scope.split("/")[1:]:
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    name = "agentrun-authorization" if algorithm == DATA else "authorization"
    request.headers[name] = f"{algorithm} Credential=any{scope},SignedHeaders={signed},Signature={signature}"
    return request


@pytest.mark.parametrize("algorithm", [DATA, CONTROL])
def test_a_signature_is_as_good_as_the_key(service: Service, algorithm: str):
    with service.client() as client:
        assert client.send(signed(client.build_request("GET", "/sandboxes"), algorithm)).status_code == 200
        other = client.send(signed(client.build_request("GET", "/sandboxes"), algorithm, key="another"))
        assert (other.status_code, other.json()["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("algorithm", [DATA, CONTROL])
def test_an_old_signature_is_refused(service: Service, algorithm: str):
    with service.client() as client:
        for age_s in (3600, -3600):
            old = client.send(signed(client.build_request("GET", "/sandboxes"), algorithm, age_s=age_s))
            assert old.status_code == 401 and "by the clock here" in old.json()["message"]


@pytest.mark.parametrize("algorithm", [DATA, CONTROL])
def test_what_is_signed_cannot_be_changed(service: Service, algorithm: str):
    with service.client() as client:
        moved = signed(client.build_request("GET", "/sandboxes"), algorithm)
        moved.url = moved.url.copy_with(path="/sandboxes/other")
        queried = signed(client.build_request("GET", "/sandboxes"), algorithm)
        queried.url = queried.url.copy_with(params={"a": "b"})
        later = signed(client.build_request("GET", "/sandboxes"), algorithm, age_s=10)
        later.headers["x-acs-date"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for request in (moved, queried, later):
            assert client.send(request).status_code == 401
        less = signed(client.build_request("GET", "/sandboxes"), algorithm, signed="host;x-acs-date")
        assert "does not cover" in client.send(less).json()["message"]


def test_a_body_that_is_signed_cannot_be_changed(service: Service):
    with service.client() as client:
        request = signed(client.build_request("POST", "/sandboxes", json={"templateName": "python"}), CONTROL)
        body = b'{"templateName":"browse"}'
        assert len(body) == len(request.content)
        changed = httpx.Request("POST", request.url, headers=request.headers, content=body)
        refused = client.send(changed)
        assert refused.status_code == 401 and "not the one that was signed" in refused.json()["message"]


def test_nonsense_is_refused(service: Service):
    with service.client() as client:
        for sent in (
            f"{DATA} x",
            f"{CONTROL} Credential=,SignedHeaders={SIGNED},Signature=",
            "Basic YQ==",
            "",
        ):
            assert client.get("/sandboxes", headers={"authorization": sent}).status_code == 401
