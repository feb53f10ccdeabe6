"""Reads back what the sinks delivered to real servers, with other people's clients, and the envelope with the SDK of CloudEvents.
Runs the real binary.

    cargo build --features full && python3 tests/sinks.py FOLDER

FOLDER holds the packages of tests/requirements/sinks.txt. Needs redis-server and openssl.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import redis  # noqa: E402
from cloudevents.core.bindings.http import HTTPMessage, from_structured  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402
from programs import ENVIRONMENT, LIVEHOOK, ROOT, free_port, livehook, running, until  # noqa: E402

FIXTURES = sorted((ROOT / "tests" / "fixtures").glob("*.json"))
KEY = "sinks0123456789sinks0123456789si"
PASSWORD = "a-password-of-the-tests"


def check_envelope(text, expected):
    message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=text.encode())
    event = from_structured(message, JSONFormat())
    assert event.get_id() == expected["id"] and event.get_type() == expected["type"]
    assert event.get_source() == expected["source"] and event.get_subject() == expected.get("subject")
    assert event.get_extension("partitionkey") == expected["partitionkey"] and event.get_data() == expected["data"]


@contextlib.contextmanager
def delivering(sinks, folder):
    """Runs livehook with these sinks until the end of the block, and yields its events after it has stored one of each type."""
    receiver, admin = free_port(), free_port()
    config = folder / "config.toml"
    config.write_text(
        f'data_dir = "{folder}/data"\n[receiver]\nlisten = "127.0.0.1:{receiver}"\nkeys = ["{KEY}"]\n'
        f'[admin]\nlisten = "127.0.0.1:{admin}"\n{sinks}'
    )
    livehook("check-config", "--config", config, "--probe", folder=folder)
    with running("livehook", [LIVEHOOK, "serve", "--log-level", "error", "--config", config], receiver, folder):
        for fixture in FIXTURES:
            livehook("send", "--key", KEY, "--url", f"http://127.0.0.1:{receiver}/callback", fixture, folder=folder)
        lines = livehook("events", "--data-dir", folder / "data", "--output", "json", folder=folder).splitlines()
        yield [json.loads(line) for line in lines]


def certificates(folder):
    """Makes a certificate authority, and a certificate of the server and of livehook each."""
    openssl = lambda *arguments: subprocess.run(["openssl", *arguments], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=tests", "-x509", "-days", "1", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    for name in ("server", "client"):
        openssl(*new, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
                "-extfile", "names", "-out", f"{name}.pem")


def test_redis(folder):
    """Both forms of a stream and the live streams, over TLS with certificates on both sides and a password."""
    certificates(folder)
    (folder / "password").write_text(PASSWORD + "\n")
    plain, port = free_port(), free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", folder / "server.pem", "--tls-key-file", folder / "server.key",
           "--tls-ca-cert-file", folder / "ca.pem", "--requirepass", PASSWORD]
    keys = (
        f'type = "redis"\nurl = "rediss://localhost:{port}/1"\nca_file = "{folder}/ca.pem"\n'
        f'client_certificate_file = "{folder}/client.pem"\nclient_key_file = "{folder}/client.key"\n'
    )
    login = f'password_file = "{folder}/password"\n'
    sinks = (
        f'[[sinks]]\nname = "events"\n{keys}{login}'
        f'[[sinks]]\nname = "data"\n{keys}{login}stream = "data"\nformat = "data"\n'
        f'[[sinks]]\nname = "live"\n{keys}{login}mode = "live"\n'
    )
    (folder / "redis").mkdir()
    with running("redis", [ROOT / "tests" / "servers" / "redis", folder / "redis", str(plain), *tls], plain, folder):
        client = redis.Redis(
            host="localhost", port=port, db=1, password=PASSWORD, decode_responses=True, ssl=True,
            ssl_ca_certs=str(folder / "ca.pem"), ssl_certfile=str(folder / "client.pem"), ssl_keyfile=str(folder / "client.key"),
        )
        probe = folder / "probe.toml"
        for wrong, said in ((keys, "NOAUTH"), (keys + 'user = "me"\n' + login, "WRONGPASS")):
            probe.write_text(f'receiver.keys = ["{KEY}"]\n[[sinks]]\nname = "wrong"\n{wrong}')
            command = [LIVEHOOK, "check-config", "--config", probe, "--probe"]
            refused = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
            assert refused.returncode == 1 and said in refused.stderr, refused.stderr
            assert PASSWORD not in refused.stdout + refused.stderr
        with delivering(sinks, folder) as stored:
            for stream in ("livehook:events", "data"):
                until(stream, lambda stream=stream: client.xlen(stream) == len(stored))
            for (_, fields), expected in zip(client.xrange("livehook:events"), stored, strict=True):
                assert (fields["id"], fields["type"]) == (expected["id"], expected["type"])
                check_envelope(fields["event"], expected)
            for (_, fields), expected in zip(client.xrange("data"), stored, strict=True):
                assert json.loads(fields["event"]) == expected["data"]
                assert "sign" not in expected["data"]
        for stream, sessions in client.hgetall("livehook:live").items():
            assert all(session["started"] for session in json.loads(sessions)), (stream, sessions)
    print(f"ok: redis has {len(stored)} events")


for name, test in sorted(vars(sys.modules[__name__]).items()):
    if name.startswith("test_"):
        with tempfile.TemporaryDirectory(prefix="livehook-sinks-") as scratch:
            test(Path(scratch))
