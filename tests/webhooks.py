"""Checks the requests of the sink `http` with code of other projects: the signature with the verifier of Standard Webhooks, the
envelope with the SDK of CloudEvents. Runs the real binary, over TLS with a test certificate authority.

    cargo build && python3 tests/webhooks.py FOLDER

FOLDER holds the packages of tests/requirements/webhooks.txt. Needs openssl.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from cloudevents.core.bindings.http import HTTPMessage, from_structured  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402
from programs import ENVIRONMENT, LIVEHOOK, ROOT, free_port, livehook, running, until  # noqa: E402
from standardwebhooks import Webhook, WebhookVerificationError  # noqa: E402

FIXTURES = sorted((ROOT / "tests" / "fixtures").glob("*.json"))
KEY = "webhooks0123456789webhooks012345"


def requests(folder):
    with open(folder / "requests.jsonl") as lines:
        return [json.loads(line) for line in lines]


def events_of(request):
    """The body as the text of each event."""
    if request["headers"]["content-type"] == "application/cloudevents+json":
        return [request["body"]]
    assert request["headers"]["content-type"] == "application/cloudevents-batch+json"
    # The SDK reads single events only, so each event of a list is written as a text of its own.
    return [json.dumps(event) for event in json.loads(request["body"])]


def verify(request, secrets, stranger):
    for secret in secrets:
        Webhook(secret).verify(request["body"], request["headers"])
    for body, headers, secret in (
        (request["body"], request["headers"], stranger),
        (request["body"] + " ", request["headers"], secrets[0]),
        (request["body"], {**request["headers"], "webhook-id": "another"}, secrets[0]),
    ):
        try:
            Webhook(secret).verify(body, headers)
        except WebhookVerificationError:
            continue
        raise AssertionError("a signature is valid for other content")


def check_envelopes(request, stored):
    for text in events_of(request):
        message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=text.encode())
        event = from_structured(message, JSONFormat())
        expected = stored[event.get_id()]
        assert event.get_source() == expected["source"] and event.get_type() == expected["type"]
        assert event.get_subject() == expected.get("subject")
        assert event.get_extension("partitionkey") == expected["partitionkey"]
        assert event.get_data() == expected["data"]
        if "time" in expected:
            assert event.get_time().isoformat().replace("+00:00", "Z")[:19] == expected["time"][:19]


def certificate(folder):
    """Makes a certificate authority, and a file with the certificate and key of a server."""
    openssl = lambda *arguments: subprocess.run(["openssl", *arguments], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=tests", "-x509", "-days", "1", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
            "-extfile", "names", "-out", "server.crt")
    (folder / "server.pem").write_text((folder / "server.crt").read_text() + (folder / "server.key").read_text())


def main(folder):
    certificate(folder)
    secrets = livehook("keygen", "--webhook", "--count", "2", folder=folder).split()
    stranger = livehook("keygen", "--webhook", folder=folder).strip()
    (folder / "secrets").write_text("\n".join(secrets))
    port, receiver, admin = free_port(), free_port(), free_port()
    sink = f'type = "http"\nurl = "https://localhost:{port}/"\nsecrets_file = "{folder}/secrets"\n'
    trusting = f'ca_file = "{folder}/ca.pem"\n'
    config = folder / "config.toml"
    config.write_text(
        f'data_dir = "{folder}/data"\n[receiver]\nlisten = "127.0.0.1:{receiver}"\nkeys = ["{KEY}"]\n'
        f'[admin]\nlisten = "127.0.0.1:{admin}"\n'
        f'[[sinks]]\nname = "single"\n{sink}{trusting}'
        f'[[sinks]]\nname = "list"\n{sink}{trusting}batch_events_max = 10\n'
    )
    # The receiver takes nothing at first, so that events gather and lists hold several.
    (folder / "mode").write_text("503")
    receive = [sys.executable, ROOT / "tests" / "receiver.py", str(port), folder, folder / "server.pem"]
    with running("receiver", receive, port, folder):
        livehook("check-config", "--config", config, "--probe", folder=folder)
        wary = folder / "wary.toml"
        wary.write_text(f'receiver.keys = ["{KEY}"]\n[[sinks]]\nname = "wary"\n{sink}')
        probe = [LIVEHOOK, "check-config", "--config", wary, "--probe"]
        refused = subprocess.run(probe, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert refused.returncode == 1, "an untrusted certificate is accepted"
        assert "sink wary" in refused.stderr and "certificate" in refused.stderr, refused.stderr
        assert requests(folder) == [], "a probe sends no event"

        serve = [LIVEHOOK, "serve", "--log-level", "error", "--config", config]
        with running("livehook", serve, receiver, folder):
            url = f"http://127.0.0.1:{receiver}/callback"
            for fixture in FIXTURES:
                livehook("send", "--key", KEY, "--url", url, fixture, folder=folder)
            stored = livehook("events", "--data-dir", folder / "data", "--output", "json", folder=folder).splitlines()
            stored = {event["id"]: event for event in map(json.loads, stored)}
            expected = 2 * len(stored)
            assert requests(folder) == []
            (folder / "mode").write_text("ok")
            until("everything arrives", lambda: sum(len(events_of(each)) for each in requests(folder)) == expected)
    for request in requests(folder):
        verify(request, secrets, stranger)
        check_envelopes(request, stored)
    assert any(len(events_of(request)) > 1 for request in requests(folder))
    print(f"ok: {len(stored)} events in {len(requests(folder))} requests verified")


with tempfile.TemporaryDirectory(prefix="livehook-webhooks-") as scratch:
    main(Path(scratch))
