"""docs/operations.md: Litestream follows the journal, and livehook doesn't notice when it hangs or is killed."""

import contextlib
import hashlib
import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from documents import block, blocks, replace
from programs import ENVIRONMENT, livehook, until
from service import Service

OPERATIONS, SECTION = "docs/operations.md", "Follow the journal with Litestream"
CONFIG = '[receiver]\nkeys = ["test"]\n[[sinks]]\nname = "archive"\ntype = "file"\npath = "events.jsonl"\n'

# How long Litestream hangs, in seconds, and what an event may then take in the WAL, in bytes: docs/operations.md says 10 KB.
HANG_SECS = 8
EVENT_BYTES_MAX = 15_000

# So much may the WAL grow between two checkpoints of Litestream, in bytes.
CHECKPOINT_BYTES_MAX = 8 * 1024 * 1024


class Replica:
    """Litestream, as the document runs it, with its files in a folder."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.program = next(path for path in (Path(each) / "bin/litestream" for each in sys.path) if path.exists())
        (folder / "litestream.yml").write_text(self.here(block(OPERATIONS, SECTION, "yaml")))
        self.replicate, self.restore = (each.text for each in blocks(OPERATIONS, SECTION, "sh"))

    def here(self, text):
        text = replace(text, "/var/lib/livehook", f"{self.folder}/livehook-data")
        return replace(text, "/mnt/replica", f"{self.folder}/replica")

    def start(self):
        with open(self.folder / "litestream.log", "a") as log:
            command = [self.program, *self.replicate.split()[1:]]
            self.process = subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def count(self):
        """How many events a restore has now."""
        attempt = self.folder / "attempt"
        shutil.rmtree(attempt, ignore_errors=True)
        attempt.mkdir()
        command = [self.program, "restore", "-o", "attempt/journal.db", f"file://{self.folder}/replica/livehook"]
        if subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode:
            return 0
        return livehook("events", "--output", "json", "--data-dir", "attempt", folder=self.folder).count("\n")

    def wait_for(self, count):
        """Waits until a restore has this many events. Litestream copies once a second, and tries again later if a copy fails."""
        try:
            until("the replica has the events", lambda: self.count() >= count, self.process, 90)
        except AssertionError as late:
            log = (self.folder / "litestream.log").read_text()[-2000:]
            raise AssertionError(f"{late}: it has {self.count()} of {count}. Its log ends in:\n{log}") from None

    def restore_as_written(self, service):
        """Replaces the data directory by the replica, by the commands of the document."""
        (self.folder / "livehook-data").rename(self.folder / "lost")
        # The last command is for a data directory that Litestream has followed.
        (self.folder / "livehook-data/.journal.db-litestream").mkdir(parents=True)
        service.script(self.here(self.restore).replace("litestream restore", f"{self.program} restore"))
        assert not (self.folder / "livehook-data/.journal.db-litestream").exists()


@contextlib.contextmanager
def following(folder):
    """A replica that follows from the beginning of the block to its end."""
    replica = Replica(folder)
    replica.start()
    try:
        yield replica
    finally:
        replica.kill()


class Load(threading.Thread):
    """Posts callbacks one after the other on one connection. Each must get a 200."""

    def __init__(self, service):
        super().__init__()
        self.service, self.count, self.slowest_secs, self.failure, self.is_over = service, 0, 0, None, False

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.receiver, timeout=20)
        try:
            while not self.is_over:
                began, expiry = time.monotonic(), int(time.time()) + 600
                sign = hashlib.md5(f"test{expiry}".encode()).hexdigest()
                body = {"event_type": 1, "app": "push.example.com", "stream_id": f"s{self.count}", "t": expiry, "sign": sign}
                connection.request("POST", "/callback", json.dumps(body))
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                self.slowest_secs = max(self.slowest_secs, time.monotonic() - began)
                self.count += 1
                time.sleep(0.002)
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            self.failure = failure
        finally:
            connection.close()

    def end(self):
        self.is_over = True
        self.join(30)
        assert self.failure is None, self.failure


def test_litestream_follows_the_journal(folder):
    """Both are killed right after events came. Every event that the replica has is there again, in order, and livehook goes on."""
    service = Service(folder, CONFIG)
    with service.running(), following(folder) as replica:
        service.send("--count", "300")
        replica.wait_for(300)
        service.send("--count", "200")
        service.process.kill()
        service.process.wait()
    before = [event["id"] for event in service.events()]
    assert len(before) == 500
    replica.restore_as_written(service)
    with service.running("livehook-restored"):
        after = [event["id"] for event in service.events()]
        assert 300 <= len(after) <= 500 and after == before[: len(after)], (len(after), len(before))
        service.send("--stream", "later")
        service.wait_for_index()
        found, _ = service.script("livehook doctor --config config.toml || test $? = 3")
        assert f"journal: {len(after) + 1} records, all intact" in found, found


def test_livehook_survives_its_replica(folder):
    """Under load, Litestream is killed while it copies, and then hangs. Every callback gets its 200 in time, and none is missing."""
    service = Service(folder, CONFIG)
    wal = folder / "livehook-data/journal.db-wal"

    def wal_bytes():
        return wal.stat().st_size

    with service.running(), following(folder) as replica:
        load = Load(service)
        load.start()
        try:
            until("the replica begins", replica.count, replica.process)
            for _ in range(5):
                # At any point of its work: it copies once a second.
                time.sleep(0.3)
                replica.kill()
                replica.start()
            known = load.count
            replica.wait_for(known)

            replica.process.send_signal(signal.SIGSTOP)
            before, count = wal_bytes(), load.count
            time.sleep(HANG_SECS)
            events = load.count - count
            assert events > 50 * HANG_SECS, f"{events} callbacks in {HANG_SECS} s"
            grown = wal_bytes() - before
            assert 1_000_000 < grown < events * EVENT_BYTES_MAX, f"{grown} bytes for {events} events"
            replica.process.send_signal(signal.SIGCONT)
            known = load.count
            replica.wait_for(known)
            largest, known = wal_bytes(), load.count
            until("further events come", lambda: load.count > known + 1000, service.process, 60)
            assert wal_bytes() < largest + CHECKPOINT_BYTES_MAX, "the WAL is used again from its beginning"
        finally:
            load.end()
        assert load.slowest_secs < 2, f"an answer took {load.slowest_secs} s"
        replica.wait_for(load.count)
        assert not [line for line in service.log().splitlines() if " ERROR " in line], service.log()
        service.process.terminate()
        service.process.wait(20)
    before = [event["id"] for event in service.events()]
    replica.restore_as_written(service)
    assert len(before) == load.count and [event["id"] for event in service.events()] == before
