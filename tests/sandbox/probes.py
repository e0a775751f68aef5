"""What code in a sandbox may try, and what has to come of it.

Each probe is Python code whose last line gives a text, and a pattern for that text. `HOST` holds what is really there on
the host for the probe to look for: a file, a process, sockets that listen, a secret in the environment.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PRELUDE = """
import ctypes, errno, fcntl, mmap, os, platform, resource, signal, socket, stat, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ARM = platform.machine() == "aarch64"

def attempt(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        return type(error).__name__
    return "did it"

def call(x86, arm, *arguments):
    result = libc.syscall(arm if ARM else x86, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return "did it" if result != -1 else errno.errorcode[ctypes.get_errno()]

def status(name):
    return [l.split(":")[1].strip() for l in open("/proc/self/status") if l.startswith(name + ":")][0]

def connect(address, family=socket.AF_INET):
    s = socket.socket(family)
    s.settimeout(2)
    return attempt(s.connect, address)

def died(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

REFUSED = "EPERM|EACCES|ENOSYS"
GONE = "ENOENT"


class Probe(NamedTuple):
    name: str
    code: str
    wanted: str
    limits: dict[str, Any] = {}
    timeout_s: float = 20


PROBES = [
    # files
    Probe("etc_shadow", "attempt(open, '/etc/shadow')", GONE),
    Probe("a_file_of_the_host", "attempt(open, HOST['file'])", GONE),
    Probe(
        "homes", "attempt(os.listdir, '/root') + attempt(os.listdir, HOST['home'])", "ENOENT(ENOENT|did it)"
    ),
    Probe("only_its_own_home", "str(os.listdir('/home'))", r"\['user'\]"),
    Probe("write_to_the_system", "attempt(open, '/usr/x', 'w')", "EROFS|EACCES"),
    Probe("write_to_the_root", "attempt(open, '/x', 'w')", "EROFS|EACCES"),
    Probe("write_to_etc", "attempt(open, '/etc/passwd', 'a')", "EROFS|EACCES"),
    Probe("write_beside_devices", "attempt(open, '/dev/x', 'w')", "EROFS|EACCES"),
    Probe(
        "write_to_the_interpreter",
        "attempt(open, os.path.join(sys.base_prefix, 'lib', 'x.py'), 'w')",
        "EROFS|EACCES|ENOENT",
    ),
    Probe("write_to_the_guest", "attempt(open, '/opt/agentrun/x.py', 'w')", "EROFS|EACCES"),
    Probe("root_of_the_first_process", "attempt(os.listdir, '/proc/1/root')", "EACCES|EPERM"),
    Probe(
        "root_of_itself", "str(sorted(os.listdir('/proc/self/root/..')) == sorted(os.listdir('/')))", "True"
    ),
    Probe("working_folder_of_the_first_process", "attempt(os.listdir, '/proc/1/cwd')", "EACCES|EPERM"),
    Probe("dots_beyond_the_root", "str(os.path.exists('/../../../../..' + HOST['file']))", "False"),
    Probe("own_root_is_not_the_hosts", "str(os.path.exists('/var/lib'))", "False"),
    Probe(
        "setuid_programs",
        "str(subprocess.run(['su', '-c', 'id'], capture_output=True, input=b'').returncode != 0)",
        "True",
    ),
    Probe(
        "setuid_of_its_own",
        "open('a', 'wb').write(open('/bin/true', 'rb').read()); os.chmod('a', 0o4755); str(died(lambda: os.execv('a', ['a'])))",
        "0",
    ),
    Probe(
        "device_files",
        "attempt(os.mknod, 'd', stat.S_IFBLK | 0o666, os.makedev(8, 0)) + attempt(os.mknod, 'c', stat.S_IFCHR | 0o666, os.makedev(1, 1))",
        "(EPERM|EACCES){2}",
    ),
    Probe(
        "devices_of_the_host",
        "str([n for n in ('kvm', 'mem', 'kmsg', 'fuse', 'net', 'sda', 'vda', 'dri', 'vsock') if os.path.exists('/dev/' + n)])",
        r"\[\]",
    ),
    Probe("sysfs", "attempt(os.listdir, '/sys')", GONE),
    Probe("open_by_handle", "call(304, 265, -100, ctypes.create_string_buffer(128), 0)", REFUSED),
    # processes
    Probe(
        "host_processes",
        "str(os.path.exists(f\"/proc/{HOST['pid']}\") and b'sleep' in open(f\"/proc/{HOST['pid']}/cmdline\", 'rb').read())",
        "False",
    ),
    Probe("signal_to_a_host_process", "attempt(os.kill, HOST['pid'], 9)", "ESRCH|EPERM"),
    Probe("signal_to_everybody", "str(died(lambda: os.kill(-1, 0)) in (0, -9)) ", "True"),
    Probe(
        "kill_the_first_process", "os.kill(1, 9); os.kill(1, 15); time.sleep(0.05); 'it lives'", "it lives"
    ),
    Probe("environment_of_the_first_process", "attempt(open, '/proc/1/environ')", "EACCES|EPERM"),
    Probe("memory_of_the_first_process", "attempt(open, '/proc/1/mem', 'rb')", "EACCES|EPERM"),
    Probe("descriptors_of_the_first_process", "attempt(os.listdir, '/proc/1/fd')", "EACCES|EPERM"),
    Probe(
        "secret_in_any_environment",
        "str(any(HOST['secret_half'][::-1].encode() in open(f'/proc/{p}/environ', 'rb').read() for p in os.listdir('/proc') if p.isdigit() and os.access(f'/proc/{p}/environ', os.R_OK)))",
        "False",
    ),
    Probe(
        "own_environment",
        "str(sorted(k for k in os.environ if k not in ('HOME', 'LANG', 'PATH', 'PYTHONDONTWRITEBYTECODE', 'SHELL', 'USER', 'LD_LIBRARY_PATH', 'MPLBACKEND')))",
        r"\[\]",
    ),
    Probe(
        "secret_in_its_own_memory",
        """
wanted = HOST['secret_half'][::-1].encode()
found, canary, canaries = 0, b'CAN' + b'ARY'[::1] * 3, 0
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
    for line in maps:
        words = line.split()
        if words[1].startswith('rw') and '[v' not in line:
            start, end = (int(n, 16) for n in words[0].split('-'))
            try:
                memory.seek(start)
                data = memory.read(end - start)
                found += data.count(b'PLANTED-' + wanted)
                canaries += data.count(canary)
            except (OSError, ValueError, OverflowError):
                pass
f"{found} {canaries > 0}" """,
        "0 True",
    ),
    Probe(
        "command_lines_of_the_host",
        "str(any(HOST['folder'] in open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()))",
        "False",
    ),
    Probe("ptrace", "call(101, 117, 16, 1, 0, 0)", REFUSED),
    Probe("ptrace_of_a_child", "call(101, 117, 0, 0, 0, 0)", REFUSED),
    Probe("process_vm_readv", "call(310, 270, 1, 0, 0, 0, 0, 0)", REFUSED),
    Probe("pidfd_getfd", "call(438, 438, os.pidfd_open(1), 0, 0)", REFUSED),
    Probe(
        "inherited_descriptors",
        "str(sorted(os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in os.listdir('/proc/self/fd') if os.path.lexists(f'/proc/self/fd/{n}')))",
        r"\['/dev/null', 'pipe', 'pipe', 'socket'\]",
    ),
    Probe(
        "core_files",
        "import faulthandler; str(died(lambda: os.abort())) + str([n for n in os.listdir('.') if 'core' in n])",
        r"-6\[\]",
    ),
    Probe("priority", "attempt(os.setpriority, os.PRIO_PROCESS, 0, -20)", "EPERM|EACCES"),
    Probe("real_time", "attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(50))", "EPERM"),
    Probe(
        "lock_memory",
        "attempt(lambda: libc.mlockall(3) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), '')))",
        "EPERM|ENOMEM",
    ),
    Probe(
        "raise_its_limits",
        "attempt(resource.setrlimit, resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))",
        "ValueError|EPERM",
    ),
    # privilege
    Probe("is_not_root", "f'{os.getuid()} {os.geteuid()}'", "1000 1000"),
    Probe("become_root", "attempt(os.setuid, 0)", "EINVAL|EPERM"),
    Probe(
        "capabilities",
        "status('CapEff') + status('CapPrm') + status('CapBnd') + status('CapInh') + status('CapAmb')",
        "0{80}",
    ),
    Probe("no_new_privileges", "status('NoNewPrivs') + status('Seccomp')", "12"),
    Probe("host_user_is_not_root", "' '.join(open('/proc/self/uid_map').read().split())", "1000 0 1"),
    Probe("mount", "call(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0)", REFUSED),
    Probe("bind_mount", "call(165, 40, b'/', b'/tmp', b'', 4096, 0)", REFUSED),
    Probe("umount", "call(166, 39, b'/proc', 2)", REFUSED),
    Probe("pivot_root", "call(155, 41, b'/tmp', b'/tmp')", REFUSED),
    Probe("chroot", "call(161, 51, b'/tmp')", REFUSED),
    Probe(
        "new_mount_calls",
        "' '.join([call(428, 428, -100, b'/', 1), call(429, 429, 0, b'', -100, b'', 0), call(430, 430, b'tmpfs', 0), call(442, 442, -100, b'/', 0, 0, 0)])",
        "((EPERM|ENOSYS) ?){4}",
    ),
    Probe(
        "unshare",
        "' '.join(call(272, 97, flag) for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000))",
        "(EPERM ?){4}",
    ),
    Probe(
        "setns",
        "attempt(open, '/proc/1/ns/mnt') + call(308, 268, os.open('/proc/self/ns/user', 0), 0)",
        "(EACCES|EPERM)EPERM",
    ),
    Probe("clone_new_user", "call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)", "EPERM"),
    Probe("clone3", "call(435, 435, ctypes.create_string_buffer(88), 88)", "ENOSYS"),
    Probe("bpf", "call(321, 280, 0, 0, 0)", REFUSED),
    Probe("perf_event_open", "call(298, 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)", REFUSED),
    Probe("userfaultfd", "call(323, 282, 0)", REFUSED),
    Probe("io_uring", "call(425, 425, 8, ctypes.create_string_buffer(120))", REFUSED),
    Probe(
        "keyrings",
        "' '.join([call(248, 217, b'user', b'x', b'y', 1, -3), call(249, 218, b'user', b'x', 0, -3), call(250, 219, 0, -3, 0)])",
        "(EPERM ?){3}",
    ),
    Probe("kernel_modules", "call(175, 105, 0, 0, b'') + call(246, 104, 0, 0, 0, 0, 0)", "(EPERM){2}"),
    Probe(
        "reboot_and_swap",
        "call(169, 142, 0xfee1dead, 672274793, 0) + call(167, 224, b'/tmp/x', 0)",
        "(EPERM){2}",
    ),
    Probe("clock", "attempt(time.clock_settime, time.CLOCK_REALTIME, 0)", "EPERM"),
    Probe("host_name", "attempt(socket.sethostname, 'x') + socket.gethostname()", "EPERMsandbox"),
    Probe(
        "kernel_log",
        "call(103, 116, 3, ctypes.create_string_buffer(4096), 4096) + attempt(open, '/proc/kmsg')",
        "EPERM(EPERM|EACCES|ENOENT)",
    ),
    Probe(
        "kernel_settings",
        "attempt(open, '/proc/sys/kernel/core_pattern', 'w') + attempt(open, '/proc/sysrq-trigger', 'w')",
        "(EACCES|EROFS|EPERM|ENOENT){2}",
    ),
    Probe("kernel_memory", "attempt(lambda: open('/proc/kcore', 'rb').read(1))", "EACCES|EPERM|ENOENT"),
    Probe("personality", "call(135, 92, 0x0400000)", "EPERM"),
    Probe(
        "control_groups",
        "str(os.path.exists('/sys/fs/cgroup')) + attempt(open, '/proc/self/cgroup', 'w')",
        "False(EACCES|EPERM|EROFS)",
    ),
    Probe(
        "32_bit_calls",
        "import mmap\nmemory = mmap.mmap(-1, 4096, prot=7)\nmemory.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\naddress = ctypes.addressof(ctypes.c_char.from_buffer(memory))\nstr(died(lambda: ctypes.CFUNCTYPE(ctypes.c_long)(address)()) if not ARM else -31)",
        "-31",
    ),
    Probe(
        "x32_calls",
        "str(died(lambda: libc.syscall(ctypes.c_long(0x40000000 + 39))) if not ARM else -31)",
        "-31",
    ),
    Probe(
        "words_for_a_terminal",
        "import pty\nmaster, slave = pty.openpty()\nattempt(fcntl.ioctl, slave, 0x5412, b'x')",
        "EPERM",
    ),
    Probe("no_terminal_of_the_caller", "attempt(open, '/dev/tty')", "ENXIO|EACCES|ENOENT|EPERM"),
    Probe(
        "memory_files_that_run",
        "fd = os.memfd_create('x'); os.write(fd, open('/bin/id', 'rb').read()); subprocess.run([f'/proc/self/fd/{fd}', '-u'], pass_fds=[fd], capture_output=True, text=True).stdout",
        "1000\n",
    ),
    # network
    Probe("metadata_address", "connect(('169.254.169.254', 80))", "ENETUNREACH"),
    Probe("loopback_of_the_host", "connect(('127.0.0.1', HOST['port']))", "ECONNREFUSED"),
    Probe(
        "loopback_otherwise",
        "' '.join([connect(('0.0.0.0', HOST['port'])), connect(('::1', HOST['port']), socket.AF_INET6), connect(('::ffff:127.0.0.1', HOST['port']), socket.AF_INET6)])",
        "((ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL) ?){3}",
    ),
    Probe(
        "private_networks",
        "' '.join(connect((a, 80)) for a in ('10.0.0.1', '192.168.0.1', '172.17.0.1', '100.100.100.200'))",
        "(ENETUNREACH ?){4}",
    ),
    Probe("names", "attempt(socket.getaddrinfo, 'example.com', 80)", "gaierror|-?[0-9]+"),
    Probe(
        "datagrams",
        "attempt(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto, b'x', ('8.8.8.8', 53))",
        "ENETUNREACH",
    ),
    Probe("raw_sockets", "attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)", "EPERM"),
    Probe(
        "other_families",
        "' '.join(attempt(socket.socket, family, kind) for family, kind in ((17, 3), (16, 3), (40, 1), (38, 5), (31, 3), (44, 3), (29, 3)))",
        "(EAFNOSUPPORT ?){7}",
    ),
    Probe(
        "abstract_socket_of_the_host",
        "connect('\\0' + HOST['abstract'], socket.AF_UNIX)",
        "ECONNREFUSED|EPERM",
    ),
    Probe("socket_file_of_the_host", "connect(HOST['socket'], socket.AF_UNIX)", GONE),
    Probe(
        "desktop_and_daemons",
        "str([p for p in ('/tmp/.X11-unix', '/run/dbus', '/run/user', '/var/run/docker.sock', '/run/docker.sock', '/run') if os.path.exists(p)])",
        r"\[\]",
    ),
    Probe(
        "interfaces",
        "str([line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line])",
        r"\['lo'\]",
    ),
    Probe(
        "own_loopback_works", "a = socket.create_server(('127.0.0.1', 0)); connect(a.getsockname())", "did it"
    ),
    # bombs
    Probe(
        "fork_bomb",
        """
def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.2)
def one_more():
    if os.fork() == 0:
        time.sleep(1000)
if os.fork() == 0:
    bomb()
while (said := attempt(one_more)) == 'did it':
    continue
said""",
        "EAGAIN",
        {"processes": 16},
    ),
    Probe(
        "thread_bomb",
        "attempt(lambda: [threading.Thread(target=time.sleep, args=(30,), daemon=True).start() for _ in range(100)])",
        "RuntimeError",
        {"processes": 16},
    ),
    Probe(
        "memory_bomb",
        "str(died(lambda: [bytearray(1 << 20) for _ in range(400)]) != 0 or 'no')",
        "True",
        {"memory_mb": 96},
    ),
    Probe("disk_bomb", "attempt(lambda: open('x', 'wb').write(bytes(8 << 20)))", "ENOSPC", {"disk_mb": 4}),
    Probe(
        "disk_bomb_elsewhere",
        "attempt(lambda: open('/tmp/x', 'wb').write(bytes(8 << 20))) + attempt(lambda: open('/dev/shm/x', 'wb').write(bytes(8 << 20)))",
        "(ENOSPC){2}",
        {"disk_mb": 4},
    ),
    Probe(
        "a_file_too_large",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); attempt(lambda: os.truncate(os.open('x', os.O_CREAT | os.O_RDWR), 1 << 40))",
        "EFBIG",
    ),
    Probe(
        "inode_bomb",
        "attempt(lambda: [open(f'f{n}', 'w').close() for n in range(1000)])",
        "ENOSPC",
        {"files": 300},
    ),
    Probe(
        "descriptor_bomb",
        "kept = []\nattempt(lambda: [kept.append(os.dup(0)) for _ in range(5000)])",
        "EMFILE",
    ),
    Probe("deep_recursion", "def f():\n    f()\nattempt(f)", "RecursionError"),
    Probe(
        "daemon_that_stays",
        "subprocess.Popen(['sh', '-c', '(setsid sleep 1000 &)'], start_new_session=True).wait(); 'started'",
        "started",
    ),
    Probe(
        "stops_itself",
        "pid = os.fork()\nif pid == 0:\n    os.kill(os.getpid(), signal.SIGSTOP)\nos.waitstatus_to_exitcode(os.waitpid(pid, os.WUNTRACED)[1]) if False else 'stopped'",
        "stopped",
    ),
    Probe("reads_its_input", "sys.stdin.read() + 'end'", "end"),
    Probe(
        "odd_names",
        "[open(n, 'w').close() for n in (b'\\xff\\xfe', 'a\\nb', 'x' * 255)]; str(len(os.listdir(b'.')) >= 3)",
        "True",
    ),
]
