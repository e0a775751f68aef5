"""What a notebook's kernel costs, for bench.sandbox: run by the Python of .venv-bench, which has ipykernel. Prints JSON."""

from __future__ import annotations

import json
import sys
import time

from jupyter_client.manager import start_new_kernel


def main(times: int) -> None:
    starts: list[float] = []
    warm: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        manager, client = start_new_kernel(kernel_name="python3")
        client.execute_interactive("1 + 1", silent=True)
        starts.append(time.perf_counter() - begun)
        for _ in range(50):
            begun = time.perf_counter()
            client.execute_interactive("1 + 1", silent=True)
            warm.append(time.perf_counter() - begun)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    print(json.dumps({"starts": starts, "warm": warm}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
