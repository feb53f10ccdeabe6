"""Runs the real programs for the tests in Python: livehook on free ports, and whatever stands next to it."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BINARIES = ROOT / "target" / "debug"
LIVEHOOK = BINARIES / "livehook"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("LIVEHOOK_")},
    "PATH": f"{BINARIES}:{os.environ['PATH']}:/usr/sbin",
}

# Ports below 32768, the first that Linux gives to clients: no connection of another process can take one in between.
PORTS = iter(random.sample(range(20000, 32000, 3), 4000))


def free_port():
    """Returns a port on which no process listens, each port once. The next two ports are free as well, for servers that need three."""
    for port in PORTS:
        with contextlib.suppress(OSError), contextlib.ExitStack() as servers:
            for each in range(port, port + 3):
                servers.enter_context(socket.create_server(("0.0.0.0", each)))
            return port
    raise AssertionError("no port is free")


def until(what, is_ready, process=None, timeout_secs=20):
    """Waits until `is_ready` returns true. A process that ends before has failed."""
    end = time.monotonic() + timeout_secs
    while time.monotonic() < end:
        assert process is None or process.poll() is None, f"{what}: the process ended with {process.returncode}"
        with contextlib.suppress(OSError):
            if is_ready():
                return
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {timeout_secs} s")


def accepts(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def running(what, command, port, folder, environment=None, timeout_secs=20):
    """Runs a server until the end of the block, and prints its log if something fails."""
    log = folder / f"{what}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**ENVIRONMENT, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output,
        )
        try:
            until(what, lambda: accepts(port), process, timeout_secs)
            yield process
        except BaseException:
            print(f"--- log of {what}:\n{log.read_text()}---", file=sys.stderr)
            raise
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def livehook(*arguments, folder, environment=None, **options):
    """Runs a command of livehook and returns its stdout."""
    done = subprocess.run(
        [LIVEHOOK, *arguments], cwd=folder, env={**ENVIRONMENT, **(environment or {})}, capture_output=True, text=True,
        check=False, **options,
    )
    assert done.returncode == 0, f"livehook {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
