"""A livehook for the tests of the documents, and the blocks that run against it."""

import contextlib
import http.client
import json
import subprocess

from documents import ROOT
from programs import BINARIES, ENVIRONMENT, LIVEHOOK, free_port, livehook, running, until

KEY = "documents0123456789documents0123"
TOKEN = "documents-token-0123456789"


def script(text, folder, environment=None, is_checked=True):
    """Runs a block of commands and returns its stdout and stderr."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env={**ENVIRONMENT, **(environment or {})}, text=True,
        capture_output=True, check=False,
    )
    assert done.returncode == 0 or not is_checked, f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def make_certificate(folder):
    """Makes `fullchain.pem` and `privkey.pem` in a folder, for hooks.example.com."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
         "-subj", "/CN=hooks.example.com", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=folder, check=True, stderr=subprocess.DEVNULL,
    )


class Service:
    """A livehook in a folder of its own, with the callback key `test` and data in `livehook-data`."""

    def __init__(self, folder, config="", admin_host="127.0.0.1"):
        self.folder, self.receiver, self.admin = folder, free_port(), free_port()
        self.config = folder / "config.toml"
        self.config.write_text(config)
        self.command = [LIVEHOOK, "serve", "--config", "config.toml", "--key", "test"]
        self.command += ["--listen", f"127.0.0.1:{self.receiver}", "--admin-listen", f"{admin_host}:{self.admin}"]
        self.process = None

    @contextlib.contextmanager
    def running(self, name="livehook"):
        environment = {"LIVEHOOK_ADMIN_TOKEN": TOKEN}
        with running(name, self.command, self.receiver, self.folder, environment) as self.process:
            yield self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.receiver}/callback"

    def log(self, name="livehook"):
        return (self.folder / f"{name}.log").read_text()

    def script(self, text, folder=None, is_checked=True):
        """Runs a block as written, on the ports of this service."""
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.receiver}").replace("127.0.0.1:9090", f"127.0.0.1:{self.admin}")
        text = text.replace("livehook send", f"livehook send --url {self.url}")
        environment = {
            "LIVEHOOK_ADMIN_LISTEN": f"127.0.0.1:{self.admin}", "LIVEHOOK_ADMIN_TOKEN": TOKEN,
            "LIVEHOOK_DATA_DIR": str(self.folder / "livehook-data"),
        }
        return script(text, folder or self.folder, environment, is_checked)

    def send(self, *arguments):
        return livehook("send", "--key", "test", "--url", self.url, *arguments, folder=self.folder)

    def events(self):
        """The stored events, oldest first."""
        lines = livehook("events", "--output", "json", folder=self.folder).splitlines()
        return [json.loads(line) for line in lines]

    def get(self, path):
        """The status and the body of an answer of the admin endpoint."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def wait_for_index(self):
        """Waits until the index has every event: it is a moment behind the answer to a callback."""
        def is_there():
            readiness = json.loads(self.get("/readyz")[1])
            return readiness["index"]["cursor"] == readiness["journal"]["head"]

        until("the index has every event", is_there, self.process)
