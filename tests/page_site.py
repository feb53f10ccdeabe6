"""A running service and a browser, for the tests of the pages."""

import contextlib
import hashlib
import http.client
import json
import subprocess
import time
from pathlib import Path

import axe_playwright_python
from programs import ENVIRONMENT, free_port, livehook, running

KEY = "a-key-of-the-page-tests-0123456789"
TOKEN = "a-token-of-the-page-tests"
AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()
RULES_OF_COLORS = ["color-contrast", "link-in-text-block"]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "\"><script>alert(1)</script>",
    "\u202egnp.exe",
    "line\nbreak\ttab\u0007bell",
    "x" * 4096,
    "👩‍👩‍👧‍👦 가나다 直播",
]
SAMPLE = json.loads((Path(__file__).parent / "fixtures" / "001-push.json").read_text())


def callback(stream, number):
    """The members of a new push, without a signature."""
    times = {"event_time": int(time.time()), "sequence": str(9_000_000 + number)}
    members = {name: value for name, value in SAMPLE.items() if name not in ("sign", "t")}
    return {**members, **times, "app": "push.example.com", "appname": "live", "stream_id": stream, "channel_id": stream}


class Site:
    """A running service and a browser."""

    def __init__(self, browser, folder):
        self.browser, self.folder = browser, folder
        self.receiver, self.admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.admin}"
        self.program, self.arguments = "livehook", []
        self.sequence = 6_000_000_000
        # A restart of the service breaks connections, and a service that is stopping answers 503. The browser logs both.
        self.usual = ["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "status of 503"]
        self.environment = {
            "LIVEHOOK_KEYS": KEY,
            "LIVEHOOK_ADMIN_TOKEN": TOKEN,
            "LIVEHOOK_LISTEN": f"127.0.0.1:{self.receiver}",
            "LIVEHOOK_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
            "LIVEHOOK_DATA_DIR": str(folder / "data"),
        }

    def configure(self, text):
        """Uses a configuration file with this text."""
        path = self.folder / "livehook.toml"
        path.write_text(text)
        path.chmod(0o600)
        self.arguments = ["--config", str(path)]

    def serve(self):
        command = [self.program, "serve", *self.arguments]
        return running("serve", command, self.admin, self.folder, self.environment)

    def send(self, *arguments):
        url = f"http://127.0.0.1:{self.receiver}/callback"
        return livehook("send", "--key", KEY, "--url", url, *arguments, folder=self.folder)

    def send_callback(self, members):
        """Signs and sends a callback with these members."""
        path = self.folder / "callback.json"
        path.write_text(json.dumps(members))
        self.send(str(path))

    def send_session(self, stream, begins, ends=None, errcode=12):
        """Sends a push that began so many seconds ago, and its stop if it has ended."""
        now = int(time.time())
        self.sequence += 1
        for name, ago, more in [("001-push", begins, {}), ("000-stop", ends, {"errcode": errcode, "errmsg": "x"})]:
            if ago is None:
                continue
            sample = json.loads((Path(__file__).parent / "fixtures" / f"{name}.json").read_text())
            lasted = {"push_duration": str((begins - ago) * 1000)} if more else {}
            names = {"stream_id": stream, "channel_id": stream, "sequence": str(self.sequence)}
            self.send_callback({**sample, **names, **more, **lasted, "event_time": now - ago, "t": now + 600})

    def post(self, members, status=200, connection=None):
        """Signs a callback, without a process of its own, and expects this status."""
        t = members.get("t", int(time.time()) + 600)
        sign = hashlib.md5(f"{KEY}{t}".encode()).hexdigest()
        body = json.dumps({**members, "t": t, "sign": members.get("sign", sign)})
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.receiver, timeout=30)
        connection.request("POST", "/callback", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, answer.status

    def post_all(self, callbacks):
        connection = http.client.HTTPConnection("127.0.0.1", self.receiver, timeout=30)
        for members in callbacks:
            self.post(members, connection=connection)
        connection.close()

    def refuse(self, members):
        """Sends a callback with a wrong signature."""
        self.post({**members, "sign": "0" * 32}, status=401)

    def shell(self, script):
        """Runs commands as a person would paste them."""
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=ENVIRONMENT, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def forgive(self, text):
        """Lets the browser log errors with this text."""
        self.usual.append(text)

    def serious_faults(self, path, language, cookies=()):
        """What axe finds on a page that keeps people from using it, in both themes."""
        # The policy of the pages forbids scripts from elsewhere, and axe is one.
        context = self.browser.new_context(locale=language, color_scheme="light", bypass_csp=True)
        context.add_cookies(cookies)
        page = context.new_page()
        page.goto(self.url + path)
        page.evaluate(AXE)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        # Only colors differ in the other theme.
        page.emulate_media(color_scheme="dark")
        found += page.evaluate("rules => axe.run({ runOnly: rules, resultTypes: ['violations'] })", RULES_OF_COLORS)["violations"]
        context.close()
        return [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in found
            if violation["impact"] in ("serious", "critical")
        ]

    @contextlib.contextmanager
    def page(self, path="/", **options):
        """A page, which must break no rule of its Content-Security-Policy and log no error."""
        context = self.browser.new_context(**options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        errors = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
        page.goto(self.url + path)
        yield page
        context.close()
        errors = [error for error in errors if not any(text in error for text in self.usual)]
        assert not errors, errors
