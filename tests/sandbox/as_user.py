"""A program that becomes an ordinary user, who sees these sources at `stage.PLACE`, and then another program.

`as_user.py UID SOURCE... -- COMMAND...`
"""

from __future__ import annotations

import os
import sys

from agentrun.sandbox.backends.bubblewrap import stage


def main(uid: int, sources: list[str], command: list[str]) -> None:
    stage.enter(sources)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execve(command[0], command, {})


if __name__ == "__main__":
    end = sys.argv.index("--")
    main(int(sys.argv[1]), sys.argv[2:end], sys.argv[end + 1 :])
