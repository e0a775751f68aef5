"""What pages try to get at from the browser of a sandbox, as root starts it and as an ordinary user does."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agentrun.errors import SandboxCrashed, SandboxTimeout
from agentrun.sandbox import SyncSandbox
from agentrun.sandbox.backends.bubblewrap import stage

from ..conftest import ROOT, Prober, as_user, create
from ..prober import planted
from ..probes import PRELUDE, PROBES

NOTHING = r".*net::ERR_(FILE_NOT_FOUND|ACCESS_DENIED)\."
NOBODY = r".*net::ERR_(CONNECTION_REFUSED|ADDRESS_UNREACHABLE|INTERNET_DISCONNECTED|NAME_NOT_RESOLVED|ADDRESS_INVALID|CONNECTION_FAILED)\."
FETCH = "browser.open('about:blank') and browser.evaluate('(u) => fetch(u, {mode: \"no-cors\"}).then(() => \"reached\", String)', %s)"


class Try(NamedTuple):
    name: str
    code: str
    wanted: str


TRIES = [
    Try("a_file_of_the_host", "opened('file://' + host['file'])", NOTHING),
    Try("a_folder_of_the_host", "opened('file://' + host['folder'])", NOTHING),
    Try("passwords", "opened('file:///etc/shadow')", NOTHING),
    Try("home_of_the_host", "opened('file://' + host['home'])", NOTHING),
    Try("dots", "opened('file:///home/user/../../../../..' + host['file'])", NOTHING),
    Try("root_of_the_first_process", "opened('file:///proc/1/root' + host['file'])", NOTHING),
    Try("environment_of_the_first_process", "opened('file:///proc/1/environ')", NOTHING),
    Try("environment_of_the_browser", "host['secret_half'][::-1] in opened('file:///proc/self/environ')", "False"),
    Try("a_frame_of_a_file", "serve(box, '<iframe src=file:///etc/passwd></iframe>') or opened('http://127.0.0.1:8000/') + browser.evaluate('String(frames[0].document?.body?.innerText)')", r"OPENED: (undefined)?"),
    Try("loopback_of_the_host", "opened(f\"http://127.0.0.1:{host['port']}/\")", NOBODY),
    Try("loopback_by_name", "opened(f\"http://localhost:{host['port']}/\")", NOBODY),
    Try("loopback_of_six", "opened(f\"http://[::1]:{host['port']}/\")", NOBODY),
    Try("loopback_as_a_number", "opened(f\"http://2130706433:{host['port']}/\")", NOBODY),
    Try("loopback_in_six", "opened(f\"http://[::ffff:127.0.0.1]:{host['port']}/\")", NOBODY),
    Try("any_address", "opened(f\"http://0.0.0.0:{host['port']}/\")", NOBODY),
    Try("metadata", "opened('http://169.254.169.254/latest/meta-data/')", NOBODY),
    Try("metadata_of_six", "opened('http://[fd00:ec2::254]/')", NOBODY),
    Try("a_private_network", "opened('http://10.0.0.1/')", NOBODY),
    Try("names", "opened('http://example.com/')", NOBODY),
    Try("a_request_to_the_host", FETCH % "f\"http://127.0.0.1:{host['port']}/\"", "TypeError: Failed to fetch"),
    Try("a_request_to_metadata", FETCH % "'http://169.254.169.254/'", "TypeError: Failed to fetch"),
    Try("a_socket_to_the_host", "browser.open('about:blank') and browser.evaluate('(port) => new Promise((done) => { const s = new WebSocket(`ws://127.0.0.1:${port}/`); s.onopen = () => done(\"open\"); s.onerror = () => done(\"error\"); })', host['port'])", "error"),
    Try("addresses_by_webrtc", "browser.open('about:blank') and browser.evaluate('async () => { const c = new RTCPeerConnection(); c.createDataChannel(\"x\"); const all = []; c.onicecandidate = (e) => e.candidate && all.push(e.candidate.candidate); await c.setLocalDescription(); await new Promise((d) => setTimeout(d, 500)); return all.filter((one) => !/127\\.0\\.0\\.1|::1|\\.local/.test(one)).length }')", "0"),
    Try("a_server_of_the_other", "(box.processes.run('pkill -f http.server; while pgrep -f http.server; do sleep 0.05; done'), opened('http://127.0.0.1:8000/'))[1]", NOBODY),
    Try("what_the_other_has_stored", "serve(box, '<title>own</title>') or browser.open('http://127.0.0.1:8000/?own') and browser.evaluate('document.cookie + JSON.stringify(localStorage)')", r"\{\}"),
    Try("a_file_of_the_host_in_a_form", "box.files.write('f.html', '<input type=file>') and browser.open('file:///home/user/f.html') and (browser.choose_files('input', host['file']), browser.evaluate('document.querySelector(\"input\").files[0].text().catch(String)'))[1]", ".*NotFoundError.*|.*NotReadableError.*|.*cannot be.*|browser_refused.*"),
    Try("a_download_to_elsewhere", "box.files.write('f.html', '<a download=\"../../../tmp/evil\" href=\"data:text/plain,x\">get</a>') and browser.open('file:///home/user/f.html') and (browser.click('a'), browser.downloads(least=1)[0].path)[1]", r"/home/user/[^/]+"),
    Try("listens_nowhere", "box.run('[l.split()[1] for l in open(\"/proc/net/tcp\").readlines()[1:] if l.split()[3] == \"0A\" and not l.split()[1].endswith(\":1F40\")]').text", r"\[\]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def probers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Prober]]:
    """probers("root" | "user"), with two browsers each."""
    started: dict[str, Prober] = {}

    def prober(who: str) -> Prober:
        if who in started:
            return started[who]
        home = tmp_path_factory.mktemp(who)
        if (os.geteuid() == 0) == (who == "root"):
            path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
            env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": path}
            started[who] = Prober([sys.executable, str(Path(__file__).with_name("prober.py"))], env)
        elif who == "user":
            place = f"{stage.PLACE}/1/tests/sandbox/browser/prober.py"
            started[who] = Prober(as_user(home, place), None)
        else:
            pytest.skip("Only root can try this as root.")
        return started[who]

    yield prober
    for one in started.values():
        one.close()


@pytest.mark.parametrize("who", ["root", "user"])
@pytest.mark.parametrize("tried", TRIES, ids=lambda tried: tried.name)
def test_nothing_can_be_had_from_a_page(probers: Callable[[str], Prober], who: str, tried: Try):
    said = probers(who).ask(code=tried.code)
    assert re.fullmatch(tried.wanted, said.get("text", ""), re.DOTALL), said


@pytest.fixture(scope="module")
def box() -> Iterator[SyncSandbox]:
    with create(template="aio", warm=0, limits={"disk_mb": 64}) as made:
        made.browser.open("data:text/html,<title>here</title>")
        yield made


# what a browser's own sandbox is made of is allowed beside it, within its own user namespace
OF_BROWSERS = {"chroot", "unshare", "new_user_namespace", "clone_new_user"}


def test_code_beside_a_browser_gets_at_no_more(box: SyncSandbox):
    broken: list[tuple[str, str | None]] = []
    tried = 0
    with planted() as host:
        for probe in PROBES:
            if probe.limits:
                continue
            context = box.contexts.create()
            context.run(f"HOST = {host!r}\n{PRELUDE}")
            said = context.run(probe.code, timeout_s=probe.timeout_s).text
            context.close()
            tried += 1
            if said is None or not re.fullmatch(probe.wanted, ast.literal_eval(said), re.DOTALL):
                broken.append((probe.name, said))
    assert tried > 70
    assert [one for one in broken if one[0] not in OF_BROWSERS] == []


NESTED = """
libc.prctl(38, 1, 0, 0, 0)
def inside(action):
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            made = call(272, 97, 0x10000000 | 0x40000000)  # a user and a network of its own
            said = f"{made}: {action()}"
        except BaseException as error:
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    return os.read(reader, 10000).decode()
def escape():
    top = os.open("/", os.O_RDONLY)
    os.mkdir("/tmp/jail")
    changed = call(161, 51, b"/tmp/jail")
    os.fchdir(top)
    for _ in range(64):
        os.chdir("..")
    call(161, 51, b".")
    return f"{changed}, {os.path.exists(HOST['file'])}, {os.listdir('/home')}"
"""


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("inside(lambda: call(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0))", "did it: (EPERM|ENOSYS)"),
        ("inside(lambda: call(272, 97, 0x00020000))", "did it: EPERM"),
        ("inside(lambda: attempt(socket.socket, 16, socket.SOCK_RAW))", "did it: EAFNOSUPPORT"),
        ("inside(lambda: attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1))", "did it: .*"),
        ("inside(lambda: connect(('169.254.169.254', 80)))", "did it: ENETUNREACH"),
        ("inside(lambda: attempt(open, '/proc/sys/kernel/hostname', 'w'))", "did it: (EROFS|EACCES|EPERM)"),
        ("inside(lambda: attempt(os.kill, HOST['pid'], 0))", "did it: ESRCH"),
        ("inside(lambda: call(321, 280, 0, 0, 0))", "did it: (EPERM|ENOSYS)"),
        ("inside(lambda: call(101, 117, 16, 1, 0, 0))", "did it: (EPERM|ENOSYS)"),
        ("inside(escape)", r"did it: did it, False, \['user'\]"),
    ],
)
def test_a_namespace_of_its_own_leads_nowhere(box: SyncSandbox, code: str, wanted: str):
    with planted() as host:
        context = box.contexts.create()
        context.run(f"HOST = {host!r}\n{PRELUDE}\n{NESTED}")
        ran = context.run(code)
        context.close()
    assert ran.text is not None and re.fullmatch(wanted, ast.literal_eval(ran.text)), ran


def test_pages_are_held_by_chromiums_own_sandbox_too(box: SyncSandbox):
    look = """
import glob
def of(pid, name):
    return [l.split(":")[1].split() for l in open(f"/proc/{pid}/status") if l.startswith(name + ":")][0]
renderers = [p.split("/")[2] for p in glob.glob("/proc/[0-9]*/cmdline") if b"--type=renderer" in open(p, "rb").read()]
[(len(of(p, "NSpid")), of(p, "Seccomp_filters")[0] > of(1, "Seccomp_filters")[0], of(p, "CapEff")[0]) for p in renderers]
"""
    found = ast.literal_eval(box.run(look).text or "[]")
    assert found
    for levels, more_filters, capabilities in found:
        assert levels >= 2 and more_filters and int(capabilities, 16) == 0
    without = "[p for p in renderers if b'--no-sandbox' in open(f'/proc/{p}/cmdline', 'rb').read()]"
    assert box.run(without).text == "[]"


def test_a_page_that_never_ends_is_left(box: SyncSandbox):
    with pytest.raises(SandboxTimeout, match="script did not end within 0.5 s"):
        box.browser.evaluate("for (;;);", timeout_s=0.5)
    with pytest.raises(SandboxTimeout, match="was not there within 1 s"):
        box.browser.open("data:text/html,<script>for (;;);</script>", timeout_s=1)
    assert box.browser.open("data:text/html,<title>next</title>").title == "next"


def test_a_page_that_takes_too_much_memory_ends_alone():
    with create(template="aio", warm=0, limits={"memory_mb": 512}) as small:
        small.browser.open("data:text/html,<title>greedy</title>")
        greedy = "(() => { const all = []; for (;;) all.push(new Uint8Array(8 << 20).fill(1)) })()"
        with pytest.raises(SandboxCrashed):
            small.browser.evaluate(greedy, timeout_s=60)
        assert small.run("6 * 7").text == "42"
        assert small.browser.open("data:text/html,<title>next</title>").title == "next"


def test_a_page_that_says_too_much_ends_its_browser_only(box: SyncSandbox):
    with pytest.raises(SandboxCrashed, match="more than 128 MB"):
        box.browser.evaluate("'x'.repeat(200 << 20)", timeout_s=60)
    assert box.browser.open("data:text/html,<title>again</title>").title == "again"


def test_dialogs_stop_nothing(box: SyncSandbox):
    asks = "[alert(1), confirm(2), prompt(3)].map(String)"
    assert box.browser.evaluate(asks) == ["undefined", "false", "null"]
