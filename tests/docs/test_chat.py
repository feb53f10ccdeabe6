"""The examples of docs/sinks.md for chat tools, against mocks that take only what the vendors document, and answer as they do."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import tomllib
import urllib.parse

from documents import ROOT, block
from programs import livehook, until
from service import Service

EXAMPLES = ROOT / "examples" / "chat"
SECRET = "SEC0123456789abcdef"
# Each part would be a mention, a link or a tag in one of the tools, or would end the JSON string.
HOSTILE = '"},{"<!channel> <@U1> @everyone <at user_id="all"></at> [a](https://e.example) <a href="b"> *x* \\ \n'


def only(value, names):
    assert set(value) == set(names), f"{set(value)} are not {set(names)}"
    return value


def signature(key, text):
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def slack(body, query):
    only(body, ["mrkdwn", "text"])
    assert body["mrkdwn"] is False and len(body["text"]) <= 4000
    assert "<" not in body["text"] and ">" not in body["text"], "a mention or a link"
    return body["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def feishu(body, query):
    only(body, ["timestamp", "sign", "msg_type", "content"])
    assert abs(int(body["timestamp"]) - time.time()) < 3600 and body["msg_type"] == "post"
    assert body["sign"] == signature(f'{body["timestamp"]}\n{SECRET}', ""), "19021"
    post = only(only(body["content"], ["post"])["post"], ["en_us"])["en_us"]
    only(post, ["title", "content"])
    assert len(json.dumps(body)) <= 20_000
    for part in (part for paragraph in post["content"] for part in paragraph):
        only(part, ["tag", "text"] if part["tag"] == "text" else ["tag", "text", "href"])
        assert part["tag"] in ("text", "a"), "a mention"
    lines = ["".join(part["text"] for part in paragraph) for paragraph in post["content"]]
    assert "<" not in "".join(lines), "a mention"
    return "\n".join([post["title"], *lines])


def dingtalk(body, query):
    assert int(query["timestamp"]) > 1_000_000_000_000, "the time is in ms"
    assert query["sign"] == signature(SECRET, f'{query["timestamp"]}\n{SECRET}'), "310000"
    only(body, ["msgtype", "at", "text"])
    assert body["msgtype"] == "text" and body["at"] == {"isAtAll": False}
    content = only(body["text"], ["content"])["content"]
    assert len(content.encode()) <= 20_000 and "@" not in content and "<" not in content
    return content


def wecom(body, query):
    assert query["key"] == "hunter2"
    only(body, ["msgtype", "text"])
    content = only(body["text"], ["content"])["content"]
    assert body["msgtype"] == "text" and len(content.encode()) <= 2048
    assert "@" not in content and "<" not in content, "a mention or a link"
    return content


def discord(body, query):
    only(body, ["allowed_mentions", "flags", "content"])
    assert body["allowed_mentions"] == {"parse": []} and body["flags"] == 4
    assert 0 < len(body["content"]) <= 2000
    assert "[a](" not in body["content"] and "https:" not in body["content"], "a link"
    return body["content"].replace("\\", "")


# The path of the webhook; the check of a message, which returns its text; and the answers: a success, a limit of the rate, and an error.
TOOLS = {
    "slack": ("/services/T0/B0/hunter2", slack, (200, "ok"), (429, "rate_limited"), (200, "no_service")),
    "feishu": (
        "/open-apis/bot/v2/hook/hunter2", feishu, (200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}),
        (200, {"code": 11232, "msg": "frequency limited psm"}), (200, {"code": 19024, "msg": "Key Words Not Found"}),
    ),
    "dingtalk": (
        "/robot/send?access_token=hunter2", dingtalk, (200, {"errcode": 0, "errmsg": "ok"}),
        (200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}),
        (200, {"errcode": 310000, "errmsg": "keywords not in content"}),
    ),
    "wecom": (
        "/cgi-bin/webhook/send?key=hunter2", wecom, (200, {"errcode": 0, "errmsg": "ok"}),
        (200, {"errcode": 45009, "errmsg": "api freq out of limit, hint: [1600000000000000001]"}),
        (200, {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1600000000000000001]"}),
    ),
    "discord": ("/api/webhooks/1/hunter2", discord, (204, ""), (429, {"message": "limited", "retry_after": 1.0}), (404, {"code": 10015})),
}


@contextlib.contextmanager
def mock(name, answers):
    """The other end. Each request takes the next of `answers`, the last one for ever. Yields the port and the texts of messages."""
    path, check = TOOLS[name][:2]
    texts, faults = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            url = urllib.parse.urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                assert url.path == path.split("?")[0] and self.headers["content-type"] == "application/json"
                texts.append(check(body, dict(urllib.parse.parse_qsl(url.query, strict_parsing=True)) if url.query else {}))
            except (AssertionError, KeyError) as fault:
                faults.append(f"{fault!r}: {body}")
            status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
            answer = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            if status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, texts
        assert not faults, faults
    finally:
        server.shutdown()
        server.server_close()


def sink_view(service, name):
    sinks = json.loads(service.get("/api/v1/sinks")[1])["items"]
    return next(sink for sink in sinks if sink["name"] == name)


def check_an_example(name, folder, limit=None):
    """Follows the example of a tool. `limit` is what it answers to too many messages, if that differs from its usual answer."""
    path, _, success, usual_limit, error = TOOLS[name]
    config = (EXAMPLES / f"{name}.toml").read_text()
    assert tomllib.loads(config)["sinks"][0]["min_interval_secs"] == 60
    # The tests wait for no minute, and the URL of the page is not part of every dashboard.
    config = config.replace("min_interval_secs = 60", 'min_interval_secs = 3\ndashboard_url = "https://livehook.example.com"\nretry = { wait_ms_first = 200, wait_ms_max = 1000 }')
    with mock(name, [error, limit or usual_limit, success]) as (port, texts):
        (folder / f"{name}.url").write_text(f"http://127.0.0.1:{port}{path}\n")
        (folder / f"{name}.secret").write_text(SECRET + "\n")
        service = Service(folder, config)
        livehook("check-config", "--config", "config.toml", "--key", "test", folder=folder)
        with service.running() as running:
            service.send("--event", "stop", "--stream", "room-1")
            until("the error is shown", lambda: sink_view(service, name)["last_error"], running.process)
            until("the message is accepted", lambda: sink_view(service, name)["cursor"] == 1, running.process)
            assert len(texts) == 3, texts
            assert "1 stopped" in texts[2] and "room-1" in texts[2] and "the pusher" in texts[2], texts
            # A storm: the interval keeps it to one message.
            for number in range(30):
                service.send("--event", "stop", "--stream", f"{HOSTILE}{number}" + "房" * 60)
            until("the digest is accepted", lambda: sink_view(service, name)["cursor"] == 31, running.process)
            shown = texts[3:]
            assert 1 <= len(shown) <= 4, shown
            assert sum(int(text.split(" ")[0]) for text in shown) == 30, shown
            assert "more" in shown[-1] or len(shown) > 1, shown
            assert sink_view(service, name)["dead_letters"] == 0
            assert "hunter2" not in json.dumps(json.loads(service.get("/api/v1/sinks")[1]))
        assert "hunter2" not in service.log() and SECRET not in service.log(), service.log()


def test_slack(folder):
    assert block("docs/sinks.md", "Chat tools", "toml") == (EXAMPLES / "slack.toml").read_text()
    check_an_example("slack", folder)


def test_feishu(folder):
    check_an_example("feishu", folder)


def test_feishu_limits_with_400(folder):
    check_an_example("feishu", folder, limit=(400, {"code": 9499, "msg": "too many request", "data": {}}))


def test_dingtalk(folder):
    check_an_example("dingtalk", folder)


def test_wecom(folder):
    check_an_example("wecom", folder)


def test_discord(folder):
    check_an_example("discord", folder)


def test_every_example_has_a_test():
    assert sorted(path.stem for path in EXAMPLES.iterdir()) == sorted(TOOLS)
