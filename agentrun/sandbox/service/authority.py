"""An authority of this machine's own, for the one server whose clients insist on HTTPS."""

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address, ip_network
from pathlib import Path

import certifi
import msgspec

from agentrun.errors import MissingExtra

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    raise MissingExtra("cryptography, which makes certificates,", "control") from None

_AUTHORITY_DAYS, _SERVER_DAYS = 3650, 90
_CLOCKS = timedelta(hours=1)  # of clients may be slow


class Papers(msgspec.Struct, frozen=True):
    """Files: what the server shows, what clients are to trust, and that beside all they trust already."""

    certificate: Path
    key: Path
    authority: Path
    bundle: Path


def papers(folder: Path, host: str) -> Papers:
    """A certificate for this host, by an authority that is made with the first one and can vouch for nothing else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = Papers(folder / "server.pem", folder / "server.key", folder / "ca.pem", folder / "bundle.pem")
    ca_key = folder / "ca.key"
    if not (found.authority.is_file() and ca_key.is_file() and _is_valid(found.authority)):
        _make_authority(found.authority, ca_key, host)
    _make_certificate(found, ca_key, host)
    system = ssl.get_default_verify_paths().cafile or certifi.where()
    found.bundle.write_bytes(Path(system).read_bytes() + b"\n" + found.authority.read_bytes())
    return found


def _is_valid(path: Path) -> bool:
    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return ends > datetime.now(timezone.utc) + timedelta(days=_SERVER_DAYS)


def _make_authority(path: Path, key_path: Path, host: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"AgentRun sandboxes on {host}")])
    permitted = x509.NameConstraints(permitted_subtrees=_permitted(host), excluded_subtrees=None)
    made = (
        _about(name, name, key.public_key(), _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(permitted, critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _make_certificate(to: Papers, ca_key_path: Path, host: str) -> None:
    authority = x509.load_pem_x509_certificate(to.authority.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_path.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        _about(name, authority.subject, key.public_key(), _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(to.key, key)
    to.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _about(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + timedelta(days=days))
    )


def _names(host: str) -> list[x509.GeneralName]:
    """What the server may be called by."""
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ip_address(loopback)) for loopback in ("127.0.0.1", "::1")]
    try:
        own: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    return names if own in names else [*names, own]


def _permitted(host: str) -> list[x509.GeneralName]:
    """The same as a constraint, where an address is a network."""
    return [
        x509.IPAddress(ip_network(name.value)) if isinstance(name, x509.IPAddress) else name
        for name in _names(host)
    ]


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
