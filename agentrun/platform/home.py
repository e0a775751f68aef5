"""Home: where a platform keeps what it has, and how it is reached."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from hashlib import sha256
from pathlib import Path

import msgspec

from agentrun import config
from agentrun.errors import ConfigError
from agentrun.platform.gateway.limits import GatewayLimits

_LONGEST_SOCKET = 100  # the kernel takes about 107 bytes
DEFAULT_GATEWAY = "127.0.0.1:9010"


class Home(msgspec.Struct, frozen=True):
    """Folders and settings of one platform."""

    folder: Path
    store: str
    gateway: tuple[str, int]
    control: tuple[str, int] | None  # besides the Unix socket
    driver: str = "local"
    limits: GatewayLimits = GatewayLimits()

    @property
    def socket(self) -> Path:
        """The control API's, which only this user can reach."""
        near = self.folder / "daemon.sock"
        if len(str(near)) <= _LONGEST_SOCKET:
            return near
        mark = sha256(str(near).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"agentrun-{os.getuid()}" / f"{mark}.sock"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives."""
        return self.folder / "daemon.lock"

    @property
    def key(self) -> str:
        """What the socket asks for. An instance is of this user too, but does not see this folder."""
        try:
            return self._key.read_text("ascii")
        except FileNotFoundError:
            return ""

    @property
    def _key(self) -> Path:
        return self.folder / "daemon.key"

    def new_key(self) -> str:
        """Another one for each daemon."""
        text = secrets.token_urlsafe(32)
        new = self._key.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(text)
        new.replace(self._key)
        return text

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"


def home(folder: Path | None = None) -> Home:
    """The platform of this user, as the environment has it."""
    named = config.environment("AGENTRUN_PLATFORM_HOME")
    where = folder or (Path(named) if named else Path.home() / ".agentrun" / "platform")
    where = where.absolute()
    control = config.environment("AGENTRUN_PLATFORM_LISTEN")
    return Home(
        where,
        config.environment("AGENTRUN_PLATFORM_STORE") or f"sqlite://{where / 'store.db'}",
        _address("AGENTRUN_GATEWAY", config.environment("AGENTRUN_GATEWAY") or DEFAULT_GATEWAY),
        _address("AGENTRUN_PLATFORM_LISTEN", control) if control else None,
        config.environment("AGENTRUN_PLATFORM_DRIVER") or "local",
        _limits(),
    )


def hold(where: Home) -> int | None:
    """Take the platform's lock, which the process keeps until it ends, however it does; none if another has it."""
    fd = os.open(where.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def is_held(where: Home) -> bool:
    """Whether a daemon lives."""
    fd = hold(where)
    if fd is not None:
        os.close(fd)
    return fd is None


def _limits() -> GatewayLimits:
    usual = GatewayLimits()
    return GatewayLimits(
        body_bytes=_count("AGENTRUN_GATEWAY_MAX_BODY_BYTES", usual.body_bytes),
        silence_s=_count("AGENTRUN_GATEWAY_IDLE_TIMEOUT_S", int(usual.silence_s)),
    )


def _count(name: str, usual: int) -> int:
    text = config.environment(name) or str(usual)
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"{name} is {text!r}.", hint=f"It is a whole number above 0: {usual}.")
    return int(text)


def _address(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{name} is {text!r}.", hint="It is an address and a port: 127.0.0.1:9010.")
    return host.strip("[]"), int(port)
