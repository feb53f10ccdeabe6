"""Measures what an event costs, and prints the table "Capacity" of docs/operations.md from that.

    cargo build --release && python3 tests/capacity.py [EVENTS]

Sends EVENTS callbacks (100,000 if you don't say) from eight clients at once: made-up pushes and stops of the vendor's size, two for
each session. livehook has its index and a `file` sink.
"""

import re
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from programs import ROOT, free_port, running, until

BINARY = ROOT / "target/release/livehook"
CLIENTS = 8
KEY = "capacity-0123456789"
CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "events.jsonl"\n'
EVENTS_A_DAY = (10_000, 100_000, 1_000_000, 10_000_000)
JOURNAL_DAYS, SESSION_DAYS, DAY_SECS = 30, 365, 86_400
# The ids of the last hour, in memory: `cargo bench --bench receiver -- start` shows what a million of them take.
ID_BYTES, HOURS = 7, 24


def metrics(admin):
    """The value of each metric that has no labels, or is that of the sink."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r'^(\w+)(?:\{sink="archive"\})? ([0-9.e+]+)$', text, re.M)}


def send(receiver, count, folder):
    """Sends callbacks from all clients, and returns when each is answered."""
    command = [BINARY, "send", "--key", KEY, "--url", f"http://127.0.0.1:{receiver}/callback", "--event", "pair"]
    command += ["--count", str(count // CLIENTS // 2), "--stream"]
    clients = [
        subprocess.Popen([*command, f"stream-{number}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        for number in range(CLIENTS)
    ]
    assert [client.wait() for client in clients] == [0] * CLIENTS


def table_bytes(path):
    """The size of each table and each index of a database."""
    with sqlite3.connect(path) as database:
        return dict(database.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))


def measure(count, folder):
    """The bytes, the processor time (in seconds) and the memory (in bytes) for an event or a session."""
    receiver, admin = free_port(), free_port()
    (folder / "config.toml").write_text(CONFIG)
    command = [BINARY, "serve", "--config", "config.toml", "--key", KEY, "--listen", f"127.0.0.1:{receiver}"]
    with running("livehook", [*command, "--admin-listen", f"127.0.0.1:{admin}"], receiver, folder) as process:
        before = metrics(admin)
        send(receiver, count, folder)

        def is_done():
            now = metrics(admin)
            return now["livehook_index_lag_records"] == now["livehook_delivery_lag_records"] == 0

        until("sink and index have all", is_done, process, 300)
        after = metrics(admin)
    index = table_bytes(folder / "livehook-data/index.db")
    sessions = sum(size for name, size in index.items() if name.startswith("sessions"))
    return {
        "journal": sum(table_bytes(folder / "livehook-data/journal.db").values()) / count,
        "place": (sum(index.values()) - sessions) / count,
        "session": sessions / (count / 2),
        "line": (folder / "events.jsonl").stat().st_size / count,
        "cpu": (after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / count,
        "memory": after["process_resident_memory_bytes"] - ID_BYTES * count,
    }


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="livehook-capacity-") as folder:
        cost = measure(count, Path(folder))
    print(f"An event takes {cost['journal']:.0f} bytes in the journal, {cost['place']:.0f} in the index, {cost['line']:.0f} in a file, "
          f"and {cost['cpu'] * 1e6:.0f} us of a processor; a session takes {cost['session']:.0f} bytes in the index.\n")
    print("| events a day | on average | journal, 30 days | index, a year of sessions | `file` sink, a year | memory | one processor |")
    print("|---|---|---|---|---|---|---|")
    for events in EVENTS_A_DAY:
        index = cost["place"] * events * JOURNAL_DAYS + cost["session"] * events / 2 * SESSION_DAYS
        sizes = [cost["journal"] * events * JOURNAL_DAYS, index, cost["line"] * events * SESSION_DAYS]
        memory = (cost["memory"] + ID_BYTES * events / HOURS) / 2**20
        cells = [f"{events:,}", f"{events / DAY_SECS:.1f}/s", *[f"{size / 1e9:.1f} GB" for size in sizes], f"{memory:.0f} MiB"]
        print("| " + " | ".join([*cells, f"{cost['cpu'] * events / DAY_SECS:.2%}"]) + " |")


main()
