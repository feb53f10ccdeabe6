"""examples/systemd, checked by systemd's own tools. Nothing here starts systemd."""

import configparser
import re
import subprocess

from documents import ROOT, block, replace
from programs import LIVEHOOK, running, until
from service import Service, script

UNIT = ROOT / "examples/systemd/livehook.service"

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
    # A key that systemd doesn't know is a warning, which says nothing of the rest.
    said = analyze("verify", "--man=no", unit)
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
    made = {match for match in re.findall(r"^\d+ +(?:<\.\.\. )?([a-z]\w+)", calls.read_text(), re.M)}
    assert {"fdatasync", "accept4", "execve"} <= made, made
    # As root, SQLite gives its files the owner of the directory.
    assert made - allowed() <= {"fchown"}, made - allowed()
    assert "setpriority" in made, "the unit allows it for the threads of low priority"
