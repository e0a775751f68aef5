"""Which browser runs in a sandbox, and how it is started there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox.backend import Mount
from agentrun.sandbox.proxy import Proxy
from agentrun.sandbox.template import Template

# The programs themselves, not the scripts that start them, which read what a sandbox does not see. Shells first: they have
# no window that nobody looks at, and so start in a third of the time with a third of the memory.
KNOWN = (
    "/usr/lib/chromium/chromium-headless-shell",  # Debian, Ubuntu: chromium-headless-shell
    "/usr/lib64/chromium-browser/headless_shell",  # Fedora: chromium-headless
    "/usr/lib/chromium/chromium",  # Debian, Arch, Alpine: chromium
    "/usr/lib64/chromium-browser/chromium-browser",  # Fedora: chromium
    "/opt/google/chrome/chrome",
)
_MISSING = (
    "There is no Chromium on this machine. Debian, Ubuntu: apt-get install chromium-headless-shell. Fedora: dnf install"
    " chromium-headless. Others: install chromium, or say in the template where it is (browser: /path/to/it)."
)
_PLACE = "/opt/browser"  # inside, of one that is not below /usr
_PROFILE = "/tmp/browser"

# The messages go through descriptors 3 and 4, where no page and no other program can get at them.
_START = (
    "for program in {paths}; do"
    ' [ -x "$program" ] && exec "$program" {flags} 3<&0 4>&1 </dev/null >/dev/null;'
    " done; echo there is no Chromium in the sandbox >&2; exit 127"
)
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    f"--user-data-dir={_PROFILE}",
    "--window-size=1280,800",
    "--hide-scrollbars",
    "--disable-gpu",
    "--mute-audio",
    "--disk-cache-size=67108864",
    # it asks nobody for anything by itself
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--disable-features=Translate,MediaRouter,OptimizationHints,DialMediaRouteProvider",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    # a page that nobody looks at goes on as if somebody did
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


def mounts(template: Template) -> tuple[Mount, ...]:
    """What a sandbox with a browser needs to see of this machine beside `/usr`; SandboxUnavailable if there is no browser."""
    if lacks := missing(template.browser):
        raise SandboxUnavailable(f"A sandbox with a browser cannot be had here: {lacks}")
    path = find(template.browser)
    return (
        () if path is None or _in_system(path) else (Mount(os.path.dirname(os.path.realpath(path)), _PLACE),)
    )


def find(wanted: str | None = None) -> str | None:
    """The one that is wanted, or the first that is known."""
    return next(filter(_runs, _wanted(wanted)), None)


def missing(wanted: str | None = None) -> str | None:
    """Why there is no browser to be had, and how to get one; None if there is."""
    if find(wanted) is not None:
        return None
    return (
        _MISSING
        if wanted is None
        else f"There is no program at {wanted}, which the template's browser names."
    )


def command(template: Template) -> str:
    """The line for a shell in the sandbox that turns it into the browser that is there."""
    paths = map(_inside, _wanted(template.browser))
    return _START.format(
        paths=shlex.join(paths), flags=shlex.join([*_FLAGS, *_network(template), "about:blank"])
    )


def environment() -> Mapping[str, str]:
    """What it finds beside the sandbox's own."""
    return {"DBUS_SESSION_BUS_ADDRESS": "disabled:", "LC_ALL": "C.UTF-8"}


def _network(template: Template) -> list[str]:
    """Through the sandbox's own proxy, if there is one; there is no other way out of it."""
    if not template.network.hosts:
        return ["--no-proxy-server"]
    return [f"--proxy-server={Proxy.environment['http_proxy']}"]


def _wanted(path: str | None) -> Sequence[str]:
    return KNOWN if path is None else (path,)


def _inside(path: str) -> str:
    return path if _in_system(path) else f"{_PLACE}/{os.path.basename(os.path.realpath(path))}"


def _in_system(path: str) -> bool:
    """Whether every sandbox sees it anyway."""
    return path.startswith("/usr/") and not path.startswith("/usr/local/")


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
