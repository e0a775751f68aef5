"""What holds on this machine, proven by trying to break it in a sandbox made for that."""

from __future__ import annotations

import msgspec

from agentrun.errors import AgentRunError
from agentrun.sandbox.sync import SyncSandbox
from agentrun.sandbox.values import Isolation

_TRIES = {
    "host files": "not os.path.exists('/etc/shadow') and not os.path.exists('/root') and os.listdir('/home') == ['user']",
    "host processes": "max(int(n) for n in os.listdir('/proc') if n.isdigit()) < 100",
    "privileges": "os.getuid() == 1000 and all(w in status for w in ('CapEff:\\t0000000000000000', 'NoNewPrivs:\\t1', 'Seccomp:\\t2'))",
    "system calls": "all(fails(*call) for call in ((272, 97, 0x10000000), (425, 425, 8), (321, 280, 0), (250, 219, 0)))",
    "network": "refused(socket.AF_INET, ('169.254.169.254', 80)) and [l for l in open('/proc/net/dev') if ':' in l and 'lo:' not in l] == []",
    "other sockets": "unsupported(40) and unsupported(16) and unsupported(17)",
    "memory": "overallocate() != 0",
    "processes": "fork_all() < 40",
}
_PRELUDE = """
import ctypes, os, platform, socket
libc = ctypes.CDLL(None)
status = open('/proc/self/status').read()
def fails(x86, arm, argument):
    return libc.syscall(arm if platform.machine() == 'aarch64' else x86, argument, 0, 0, 0, 0) == -1
def refused(family, address):
    try:
        socket.socket(family).connect(address)
    except OSError:
        return True
def unsupported(family):
    try:
        socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_RAW)
    except OSError:
        return True
def overallocate():
    pid = os.fork()
    if pid == 0:
        try:
            kept = [bytearray(1 << 20) for _ in range(256)]
        except MemoryError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]
def fork_all():
    pids = []
    try:
        for _ in range(60):
            pid = os.fork()
            if pid == 0:
                os.read(hold[0], 1)
                os._exit(0)
            pids.append(pid)
    except OSError:
        pass
    os.write(hold[1], b'x' * 64)
    for pid in pids:
        os.waitpid(pid, 0)
    return len(pids)
hold = os.pipe()
"""
_LIMITS = {"memory_mb": 96, "processes": 32}


class Proof(msgspec.Struct, frozen=True):
    """What was tried and what came of it. `reason` says why there is no sandbox at all."""

    isolation: Isolation | None = None
    held: list[str] = []
    broken: list[str] = []
    reason: str | None = None


def prove() -> Proof:
    """Make a sandbox as `auto` would, and try what must not work."""
    held: list[str] = []
    broken: list[str] = []
    try:
        with SyncSandbox.create(warm=0, limits=_LIMITS) as box:
            box.run(_PRELUDE)
            for name, code in _TRIES.items():
                (held if box.run(code, timeout_s=20).text == "True" else broken).append(name)
            return Proof(box.isolation, held, broken)
    except AgentRunError as error:
        return Proof(reason=str(error))
