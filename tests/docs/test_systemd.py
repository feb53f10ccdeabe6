"""examples/systemd, checked by systemd's own tools. Nothing here starts systemd."""

import configparser
import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from documents import ROOT, block, replace
from programs import ENVIRONMENT, LIVEHOOK, running, until
from service import Service, script

UNIT = ROOT / "examples/systemd/livehook.service"
SOCKET = ROOT / "examples/systemd/livehook.socket"

# One sink of each kind, so that each makes its system calls.
SINKS = """
[[sinks]]
name = "archive"
type = "file"
path = "events.jsonl"
rotate_bytes = 65536
gzip = true
[[sinks]]
name = "backend"
type = "http"
url = "http://localhost:9/"
[[sinks]]
name = "notify"
type = "command"
program = "cat"
"""


def analyze(*arguments):
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def settings(name):
    """The values of a setting of the unit, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)


def members(name):
    """The system calls of a set of systemd, such as @system-service."""
    lines = analyze("syscall-filter", name).splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return set().union(*[members(word) if word.startswith("@") else {word} for word in words])


def allowed():
    """The system calls that the unit allows, by systemd's rule: later lines change what earlier ones say."""
    result = members("@default")
    for value in settings("SystemCallFilter"):
        names = value.removeprefix("~").split()
        calls = set().union(*[members(name) if name.startswith("@") else {name} for name in names])
        result = result - calls if value.startswith("~") else result | calls
    return result


def test_the_unit_is_valid_and_gives_few_rights(folder):
    unit = folder / "livehook.service"
    unit.write_text(replace(UNIT.read_text(), "/usr/bin/livehook", str(LIVEHOOK)))
    (folder / SOCKET.name).write_text(SOCKET.read_text())
    # A key that systemd doesn't know is only a warning.
    said = analyze("verify", "--man=no", unit, folder / SOCKET.name)
    assert not said, said
    exposure = re.search(r"exposure level for livehook.service: ([\d.]+)", analyze("security", "--offline=yes", unit))[1]
    assert float(exposure) < 1.6, exposure
    assert "its exposure below 1.6 of 10" in (ROOT / "docs/deployment.md").read_text()


def test_the_unit_starts_livehook_as_installed(folder):
    """The commands of the document install what the unit names, and livehook serves with the unit's variables."""
    root = folder / "root"
    commands = block("docs/deployment.md", "systemd", "sh", "install -d")
    for path in ("/usr/bin/livehook", "/etc/livehook", "/etc/systemd/system"):
        (root / path.strip("/")).parent.mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/system").mkdir()
    commands = re.sub(r"^useradd .*\n", "", commands).replace(" -g livehook", "").replace(" /", f" {root}/")
    commands = replace(commands, "-m 755 livehook ", f"-m 755 {LIVEHOOK} ")
    script(re.sub(r" (config\.example|examples)", rf" {ROOT}/\1", commands), folder)
    installed = configparser.ConfigParser(strict=False, interpolation=None)
    installed.optionxform = str
    installed.read(root / "etc/systemd/system/livehook.service")
    unit = installed["Service"]
    program, *arguments = unit["ExecStart"].split()
    environment = dict(pair.split("=") for pair in unit["Environment"].split())
    data = f"/var/lib/{unit['StateDirectory']}"
    assert environment["LIVEHOOK_DATA_DIR"] == unit["WorkingDirectory"] == data
    service = Service(folder)
    environment = {name: f"{root}{value}" for name, value in environment.items()}
    environment |= {"LIVEHOOK_KEYS": "test", "LIVEHOOK_LISTEN": f"127.0.0.1:{service.receiver}"}
    environment |= {"LIVEHOOK_ADMIN_LISTEN": f"127.0.0.1:{service.admin}"}
    with running("livehook", [f"{root}{program}", *arguments], service.receiver, folder, environment):
        until("the data directory is made", lambda: (root / data.strip("/") / "journal.db").exists())


def test_the_unit_allows_every_system_call(folder):
    service = Service(folder, SINKS)
    calls = folder / "calls"
    service.command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", str(calls), *service.command]
    with service.running():
        service.send("--event", "pair", "--count", "100")
        service.wait_for_index()
        assert service.get("/metrics")[0] == service.get("/api/v1/streams")[0] == 200
        until("the file has rotated", lambda: list(folder.glob("events-*.jsonl*")), service.process)
        # strace ends with livehook, but livehook would go on without strace.
        tracer = service.process.pid
        for traced in Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split():
            os.kill(int(traced), signal.SIGTERM)
        service.process.wait(20)
    made = {match for match in re.findall(r"^\d+ +(?:<\.\.\. )?([a-z]\w+)", calls.read_text(), re.M)}
    assert {"fdatasync", "accept4", "execve"} <= made, made
    # As root, SQLite gives its files the owner of the directory.
    assert made - allowed() <= {"fchown"}, made - allowed()
    assert "setpriority" in made, "the unit allows it for the threads of low priority"


class Manager:
    """Does for livehook what systemd does: passes sockets, listens to what it reports, and reads its log as journald does."""

    def __init__(self, service, names):
        self.service, self.process = service, None
        self.sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=4096) for name in names}
        self.ports = {name: each.getsockname()[1] for name, each in self.sockets.items()}
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(str(service.folder / "notify"))
        self.notifications.settimeout(20)

    def start(self, **environment):
        # The shell becomes livehook, so its process id is known to it before. The sockets have the numbers from 3 on.
        moves = " ".join(f"{3 + n}<&{each.fileno()}" for n, each in enumerate(self.sockets.values()))
        script = f'export LISTEN_PID=$$ LISTEN_FDS={len(self.sockets)} LISTEN_FDNAMES={":".join(self.sockets)}; exec "$@" {moves}'
        self.log = open(self.service.folder / "livehook.log", "a")
        stream = os.fstat(self.log.fileno())
        environment = {
            **ENVIRONMENT, "NOTIFY_SOCKET": str(self.service.folder / "notify"), **environment,
            "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}",
        }
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *self.service.command], cwd=self.service.folder, env=environment, stderr=self.log,
            stdout=subprocess.DEVNULL, pass_fds=[each.fileno() for each in self.sockets.values()],
        )

    def wait_for(self, word):
        """Returns the next report that contains a word."""
        while True:
            report = self.notifications.recv(4096).decode()
            if word in report.split("\n"):
                return report

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.service.log()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for each in [*self.sockets.values(), self.notifications]:
            each.close()


def test_livehook_reports_to_its_manager(folder):
    service = Service(folder)
    with contextlib.closing(Manager(service, ["receiver", "admin"])) as manager:
        manager.start(WATCHDOG_USEC="400000")
        began = time.monotonic()
        assert f"STATUS=receiving callbacks at 127.0.0.1:{manager.ports['receiver']}" in manager.wait_for("READY=1")
        for _ in range(4):
            manager.wait_for("WATCHDOG=1")
        assert time.monotonic() - began > 0.5, "twice in each period, and not more often"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", manager.ports["admin"], timeout=10)) as connection:
            connection.request("GET", "/readyz")
            assert json.loads(connection.getresponse().read())["state"] == "ready"
        before_usec = time.monotonic_ns() // 1000
        manager.process.send_signal(signal.SIGHUP)
        reloading, time_usec = manager.wait_for("RELOADING=1").split()
        # A manager that has sent the signal itself compares this time with its own.
        assert reloading == "RELOADING=1" and time_usec.startswith("MONOTONIC_USEC="), (reloading, time_usec)
        assert before_usec <= int(time_usec.partition("=")[2]) <= time.monotonic_ns() // 1000
        assert f"STATUS=receiving callbacks at 127.0.0.1:{manager.ports['receiver']}" in manager.wait_for("READY=1")
        # The sockets of the manager count, and not the addresses of the configuration. The log has a thread of its own.
        said = "the configuration was reloaded: nothing has changed"
        until("the log says so", lambda: said in service.log(), manager.process)
        manager.stop()
        assert "STATUS=stopping" in manager.wait_for("STOPPING=1")
    lines = service.log().splitlines()
    assert lines and all(re.match(r"<[346]> ?(ERROR|WARN|INFO) ", line) for line in lines), lines


def test_a_manager_that_names_no_socket_is_told(folder):
    service = Service(folder)
    with contextlib.closing(Manager(service, ["livehook.socket"])) as manager:
        manager.start()
        assert manager.process.wait(20) == 1
    assert "FileDescriptorName=receiver" in service.log(), service.log()


class Load(threading.Thread):
    """Sends callbacks one after the other, each on a connection of its own, and each until it gets a 200, as CSS does."""

    def __init__(self, name, port):
        super().__init__(name=name)
        self.port, self.sent, self.refused, self.repeated, self.is_over = port, [], 0, 0, False

    def run(self):
        while not self.is_over:
            stream = f"{self.name}-{len(self.sent)}"
            expiry = int(time.time()) + 600
            sign = hashlib.md5(f"test{expiry}".encode()).hexdigest()
            body = {"event_type": 1, "app": "push.example.com", "stream_id": stream, "t": expiry, "sign": sign}
            while self.post(json.dumps(body)) != 200:
                self.repeated += 1
            self.sent.append(stream)

    def post(self, body):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            try:
                connection.request("POST", "/callback", body)
                return connection.getresponse().status
            except ConnectionRefusedError:
                self.refused += 1
            except (OSError, http.client.HTTPException):
                pass
        return None


def test_restarts_refuse_no_connection(folder):
    """Ten restarts while callbacks arrive. The socket is the manager's, so connections wait; every callback is stored once."""
    service = Service(folder)
    with contextlib.closing(Manager(service, ["receiver"])) as manager:
        manager.start()
        loads = [Load(f"load-{number}", manager.ports["receiver"]) for number in range(4)]
        for load in loads:
            load.start()
        try:
            for _ in range(10):
                manager.wait_for("READY=1")
                count = len(loads[0].sent)
                until("callbacks arrive", lambda: len(loads[0].sent) > count + 5, manager.process)
                manager.stop()
                manager.start()
            manager.wait_for("READY=1")
        finally:
            for load in loads:
                load.is_over = True
            for load in loads:
                load.join(30)
        assert sum(load.refused for load in loads) == 0
        # A connection that livehook has accepted just before it stops may be closed before its request arrives.
        assert sum(load.repeated for load in loads) <= 4
        sent = sorted(stream for load in loads for stream in load.sent)
        manager.stop()
    assert sorted(event["subject"] for event in service.events()) == sent and len(sent) > 200
