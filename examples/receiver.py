"""Receives the events of livehook's `http` sink: verifies each signature and stores each event once.

    python3 receiver.py          listens on http://127.0.0.1:8000/events

Needs only the standard library. Put it behind a web server, or take what you need into your own service. `webhook.secret` holds
the secrets, one per line, as `livehook keygen --webhook` prints them: two while you change them.
"""

import base64
import hashlib
import hmac
import json
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY_BYTES_MAX = 16 * 1024 * 1024
CLOCK_SECS_MAX = 300


def secret_bytes(line):
    return base64.b64decode(line.removeprefix("whsec_") + "==")


SECRETS = [secret_bytes(line) for line in Path("webhook.secret").read_text().split()]
DATABASE = sqlite3.connect("received.db", check_same_thread=False)
LOCK = threading.Lock()
DATABASE.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, event TEXT NOT NULL)")


def is_genuine(headers, body):
    """Whether livehook signed this body just now (Standard Webhooks)."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > CLOCK_SECS_MAX:
        return False
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    expected = [b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)) for secret in SECRETS]
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(one, other) for one in expected for other in given)


def store(events):
    """Stores the events that are new, all or none. Returns them."""
    with LOCK, DATABASE:
        insert = "INSERT OR IGNORE INTO events VALUES (?, ?)"
        return [event for event in events if DATABASE.execute(insert, (event["id"], json.dumps(event))).rowcount]


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        content = json.loads(body)
        # With `batch_events_max`, a body holds a list.
        for event in store(content if isinstance(content, list) else [content]):
            print(event["id"], event["type"], event.get("subject"), flush=True)
        # Only now: livehook sends the event again if this answer gets lost, and `store` ignores it then.
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Prints events alone."""


ThreadingHTTPServer(("127.0.0.1", 8000), Receiver).serve_forever()
