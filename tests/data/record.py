#!/usr/bin/env python3
"""Records a data directory, as one version of livehook leaves it after an orderly stop.

    tests/data/record.py PROGRAM DIRECTORY [plain]

PROGRAM is the livehook to record. DIRECTORY gets journal.db, index.db and expected.json, which says what is in them. With `plain`,
PROGRAM needs neither an http sink nor redrives, replays or the API of sessions: early versions have none.
"""

import http.client, http.server, json, os, pathlib, shutil, socket, sqlite3, subprocess, sys, tempfile, threading, time

KEY = "a-key-for-the-tests-only"
TOKEN = "a-token-for-the-tests"
FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
RETENTION_DAYS = 36500


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Backend(http.server.BaseHTTPRequestHandler):
    """Takes every event but moderation findings, which it refuses for good."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(422 if "moderation" in body["type"] else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Recording:
    def __init__(self, program):
        self.program, self.place = program, pathlib.Path(tempfile.mkdtemp())
        self.data = self.place / "data"
        self.receiver, self.admin, self.sink = free_port(), free_port(), free_port()
        self.config = self.place / "config.toml"
        self.config.write_text(f"""
data_dir = "{self.data}"
[receiver]
listen = "127.0.0.1:{self.receiver}"
keys = ["{KEY}"]
unsigned_event_types = [777]
[admin]
listen = "127.0.0.1:{self.admin}"
token = "{TOKEN}"
[journal]
retention_days = {RETENTION_DAYS}
[index]
retention_days = {RETENTION_DAYS}
stale_after_secs = 0
[[sinks]]
name = "archive"
type = "file"
path = "{self.place}/events.jsonl"
[[sinks]]
name = "backend"
type = "http"
url = "http://127.0.0.1:{self.sink}/events"
retry = {{ wait_ms_first = 100, wait_ms_max = 200 }}
""")

    def run(self, *arguments, **options):
        return subprocess.run([self.program, *arguments], check=True, capture_output=True, text=True, **options).stdout

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        connection.request("GET", path, headers={"authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def wait_until(self, wanted):
        deadline = time.monotonic() + 30
        while True:
            try:
                if wanted():
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, (self.place / "log").read_text()
            time.sleep(0.05)

    def start(self):
        with open(self.place / "log", "a") as log:
            self.service = subprocess.Popen([self.program, "serve", "--config", self.config], stderr=log)
        self.wait_until(lambda: self.get("/readyz")[0] == 200)

    def stop(self):
        self.service.terminate()
        assert self.service.wait(20) == 0

    def post(self, name):
        body = self.run("sign", "--key", KEY, str(FIXTURES / f"{name}.json"))
        connection = http.client.HTTPConnection("127.0.0.1", self.receiver, timeout=10)
        connection.request("POST", "/callback", body.encode())
        assert connection.getresponse().status == 200, name

    def rows(self, query, database="journal.db"):
        connection = sqlite3.connect(self.data / database)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()

    def is_backend_at(self, condition):
        return self.rows(f"SELECT 1 FROM consumers WHERE name = 'backend' AND {condition}")

    def record_plain(self):
        # Early versions have no http sink.
        config, _ = self.config.read_text().split('[[sinks]]\nname = "backend"')
        self.config.write_text(f'{config}[[sinks]]\nname = "backend"\ntype = "file"\npath = "{self.place}/backend.jsonl"\n')
        self.start()
        for name in ["001-push", "321-push-anomaly", "200-screenshot", "000-stop", "100-recording", "001-push-2016",
                     "315-audio-moderation", "317-image-moderation", "777-unknown"]:
            self.post(name)
        self.run("send", "--key", KEY, "--url", f"http://127.0.0.1:{self.receiver}/callback",
                 "--event", "push", "--stream", "live-one")
        head = self.rows("SELECT max(offset) AS head FROM records")[0]["head"]
        self.wait_until(lambda: self.is_backend_at(f"cursor = {head}"))
        # An orderly stop brings the index to the end of the journal.
        self.stop()
        consumers = self.rows("SELECT *, CAST(state AS TEXT) AS state_text FROM consumers")
        dead_letters = self.rows("SELECT *, lower(hex(id)) AS id_text FROM dead_letters")
        return {
            "version": self.run("--version").strip(),
            "journal_id": self.rows("SELECT value FROM meta WHERE name = 'journal_id'")[0]["value"],
            "events": self.rows("SELECT offset, lower(hex(id)) AS id, event_type, received_ms, line FROM records"),
            "consumers": [{"name": row["name"], "cursor": row["cursor"], "position": row.get("position", 0),
                           "pending": row.get("pending", "[]"), "state": row["state_text"]} for row in consumers],
            "dead_letters": [{"number": row["number"], "sink": row["consumer"], "offset": row["offset"], "id": row["id_text"],
                              "line": row["line"], "attempts": row["attempts"], "reason": row["reason"],
                              "failed_ms": row["failed_ms"], "redriven_ms": None, "redriven_attempts": 0}
                             for row in dead_letters],
            "replays": [],
            "sessions": self.rows("""SELECT sequence, started_ms, ended_ms, duration_ms, stop_errcode AS errcode FROM sessions
                ORDER BY sequence""", "index.db"),
        }

    def record(self):
        backend = http.server.ThreadingHTTPServer(("127.0.0.1", self.sink), Backend)
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        self.start()
        for name in ["001-push", "321-push-anomaly", "200-screenshot", "000-stop", "100-recording", "001-push-2016",
                     "000-stop-2016", "000-stop-mixed-types", "315-audio-moderation", "317-image-moderation",
                     "314-relay", "777-unknown"]:
            self.post(name)
        self.run("send", "--key", KEY, "--url", f"http://127.0.0.1:{self.receiver}/callback",
                 "--event", "push", "--stream", "live-one")
        head = self.rows("SELECT max(offset) AS head FROM records")[0]["head"]
        self.wait_until(lambda: self.is_backend_at(f"cursor = {head}"))

        # From here on nobody listens: events stay pending, and what is sent again fails.
        backend.shutdown()
        backend.server_close()
        self.run("dead-letters", "redrive", "--id", "2", "--config", str(self.config))
        self.run("replay", "--sink", "backend", "--type", "push", "--no-wait", "--config", str(self.config))
        for name in ["332-recording-status", "338-subtitles"]:
            self.post(name)
        self.wait_until(lambda: self.is_backend_at(f"position = {head} + 2"))
        self.wait_until(lambda: self.rows("SELECT 1 FROM dead_letters WHERE redriven_attempts > 0"))
        sessions = json.loads(self.get("/api/v1/sessions")[1])["items"]
        for session in sessions:
            # Explanations of an errcode are texts for people, and not stored.
            session["reason"] = session["reason"] and {"errcode": session["reason"]["errcode"]}
        self.stop()
        assert sorted(os.listdir(self.data)) == ["index.db", "journal.db", "livehook.lock"]
        return self.expected(sessions)

    def expected(self, sessions):
        return {
            "version": self.run("--version").strip(),
            "journal_id": self.rows("SELECT value FROM meta WHERE name = 'journal_id'")[0]["value"],
            "events": self.rows("SELECT offset, lower(hex(id)) AS id, event_type, received_ms, line FROM records"),
            "consumers": self.rows("SELECT name, cursor, position, pending, CAST(state AS TEXT) AS state FROM consumers"),
            "dead_letters": self.rows("""SELECT number, consumer AS sink, offset, lower(hex(id)) AS id, line, attempts,
                reason, failed_ms, redriven_ms, redriven_attempts FROM dead_letters"""),
            "replays": self.rows("""SELECT number, consumer AS sink, selection, created_ms, first, last, cursor, counted,
                done, failed, last_reason, ended_ms FROM replays"""),
            "sessions": sessions,
        }


def main(program, directory, kind="whole"):
    recording = Recording(program)
    expected = recording.record_plain() if kind == "plain" else recording.record()
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in ["journal.db", "index.db"]:
        shutil.copyfile(recording.data / name, directory / name)
    (directory / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(recording.place)


main(*sys.argv[1:])
