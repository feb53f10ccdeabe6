"""Compares the API of the real service with its OpenAPI document.

    cargo build && PYTHONPATH=FOLDER python3 tests/openapi.py

The document must be valid OpenAPI 3.1. The test calls every operation until it has seen each documented status. Each answer must
match the schema of its status, with no further member. FOLDER holds the packages of tests/requirements/schemas.txt; tests/run
makes it.
"""

import contextlib
import hashlib
import http.client
import json
import re
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from programs import LIVEHOOK, ROOT, free_port, livehook, running, until

KEY = "openapi0123456789openapi0123456789"
TOKEN = "token0123456789token0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
NOBODY = "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42"
# The bodies of the operations that change something.
CHANGES = {
    "redrive_dead_letters": {"all": True},
    "drop_dead_letters": {"all": True},
    "begin_replay": {"sink": "log", "dry_run": True},
    "cancel_replay": {},
    "retry_sink": {},
    "skip_events": {"streams": ["nobody"]},
    "end_session": {"why": "the encoder lost power"},
    "reload_configuration": {"dry_run": True},
}
# These need a sink or a disk that fails, or ten seconds for a body that never ends; the tests in Rust cover them.
UNSEEN = {
    "read_dead_letter 200", *(f"{name} {status}" for name in (*CHANGES, "rebuild_index") for status in (408, 503)),
}
HOSTILE = 'a/b%2F?#&+ "\'\\<>\u202e\u2028\x00\x1b[31m\U0001f600'


class Service:
    """A running livehook."""

    def __init__(self, folder, admin_host="127.0.0.1", index=True):
        self.receiver, self.admin = free_port(), free_port()
        config = f'data_dir = "data"\n[receiver]\nlisten = "127.0.0.1:{self.receiver}"\nkeys = ["{KEY}"]\n'
        config += f'[admin]\nlisten = "{admin_host}:{self.admin}"\ntoken = "{TOKEN}"\n'
        config += f'[index]\nenabled = {str(index).lower()}\n'
        (folder / "config.toml").write_text(config)
        self.folder = folder

    @contextlib.contextmanager
    def running(self):
        command = [LIVEHOOK, "serve", "--config", "config.toml"]
        with running("livehook", command, self.receiver, self.folder):
            until("the service is ready", lambda: self.get("/readyz")[0] == 200)
            yield self

    def call(self, method, path, headers, port=None, body=None):
        """The status, the headers and the body of an answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or self.admin, timeout=20)) as connection:
            connection.request(method, path, body, {"Host": "localhost", **headers})
            answer = connection.getresponse()
            # A stream of events has no end; its first line will do.
            is_stream = answer.getheader("Content-Type") == "text/event-stream"
            return answer.status, answer.headers, answer.readline() if is_stream else answer.read()

    def get(self, path):
        return self.call("GET", path, BEARER)

    def messages(self, query, headers):
        """Yields the kind and the data of each message of the feed, without end."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.admin, timeout=20)) as connection:
            connection.request("GET", f"/api/v1/feed?{query}", None, {"Host": "localhost", **BEARER, **headers})
            answer = connection.getresponse()
            kind = None
            for line in iter(answer.readline, b""):
                field, _, value = line.decode().rstrip("\n").partition(": ")
                kind = value if field == "event" else kind
                if field == "data":
                    yield kind, json.loads(value)

    def post(self, members):
        signed = livehook("sign", "--key", KEY, folder=self.folder, input=json.dumps(members))
        status, _, body = self.call("POST", "/callback", JSON, self.receiver, signed.encode())
        assert status == 200, body

    def refuse(self, status, body, method="POST", path="/callback", headers=JSON):
        """Sends a request that livehook must refuse."""
        given, _, answer = self.call(method, path, headers, self.receiver, body)
        assert given == status, f"{given} in place of {status}: {answer}"

    def items(self, path):
        return json.loads(self.get(f"/api/v1/{path}")[2])["items"]


def push(stream, sequence, **members):
    return {"event_type": 1, "app": "push.example.com", "appname": "live", "stream_id": stream, "sequence": sequence,
            "event_time": int(time.time()), **members}


def refused(service):
    """Sends refused callbacks of every kind that `GET refusals` lists."""
    def signed(key, validity_secs, **members):
        t = int(time.time()) + validity_secs
        sign = hashlib.md5(f"{key}{t}".encode()).hexdigest()
        return json.dumps({**push("refused", "9", **members), "t": t, "sign": sign})

    service.refuse(400, '{"event_type": oops}')
    service.refuse(400, b'{"event_type": "\xff"}')
    service.refuse(400, "{}")
    service.refuse(401, json.dumps(push(HOSTILE, "9", event_type=777, **{HOSTILE: HOSTILE})))
    service.refuse(401, signed("another", 600, stream_param="txSecret=secret"))
    service.refuse(401, signed("another", 600, long="x" * 5000))
    service.refuse(401, signed(KEY, -77))
    service.refuse(404, "{}", path="/" + quote(HOSTILE))
    service.refuse(405, None, method="GET")
    service.refuse(413, "x" * 300_000)
    service.refuse(415, "{}", headers={**JSON, "Content-Encoding": "br"})


def fill(service):
    """Sends a callback of every type, a live stream, an ended one, one with hostile names and texts, and refused callbacks."""
    fixtures = sorted((ROOT / "tests" / "fixtures").glob("*.json"))
    assert len(fixtures) > 20
    for fixture in fixtures:
        service.post(json.loads(fixture.read_text()))
    service.post(push("demo", "1", appid=7, node="192.0.2.1", user_ip="192.0.2.2", width=1280, height=720))
    service.post(push("over", "2"))
    service.post(push("over", "2", event_type=0, errcode=18, errmsg="the client has closed", push_duration="1000"))
    service.post(push(HOSTILE, "3", app=HOSTILE, appname=HOSTILE))
    service.post(push(HOSTILE, "3", app=HOSTILE, appname=HOSTILE, event_type=0, errcode=99999, errmsg=HOSTILE, node=HOSTILE))
    service.post(push("bare", "4", app=None, appname=None))
    refused(service)
    until("the index has them", lambda: json.loads(service.get("/readyz")[2])["index"]["lag"] == 0)


def closed(document, node, is_part=False):
    """Returns a schema that allows no members beyond its own."""
    if isinstance(node, list):
        return [closed(document, item, is_part) for item in node]
    if not isinstance(node, dict):
        return node
    if is_part and "$ref" in node:
        node = document["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    result = {name: closed(document, value, name == "allOf") for name, value in node.items()}
    if not is_part and ("properties" in node or "allOf" in node):
        result["unevaluatedProperties"] = False
    return result


class Description:
    """The document, and the statuses that no answer has shown yet."""

    def __init__(self, document):
        OpenAPIV31SpecValidator(document).validate()
        self.components = closed(document, document["components"])
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items() for method, operation in item.items()
        }
        self.left = {(name, status) for name, (_, _, one) in self.operations.items() for status in one["responses"]}

    def check(self, service, name, status, path=(), headers=None, query=None, body=None):
        """Calls an operation, and compares the answer with its schema."""
        method, template, operation = self.operations[name]
        values = iter(path)
        url = re.sub(r"\{\w+\}", lambda _: quote(next(values), safe=""), template)
        url += "?" + urlencode(query, doseq=True) if query else ""
        given, answer_headers, body = service.call(method, url, BEARER if headers is None else headers, body=body)
        assert given == status, f"{method} {url}: {given} in place of {status}: {body}"
        answer = operation["responses"][str(status)]
        for header in answer.get("headers", {}):
            # A 503 has no `Retry-After` if waiting does not help, for example without an index.
            assert header == "Retry-After" or answer_headers[header], f"{method} {url}: {status} without {header}"
        self.left.discard((name, str(status)))
        if "content" not in answer:
            assert body == b"", f"{method} {url}: {body}"
            return answer_headers, None
        (media_type, content), = answer["content"].items()
        assert answer_headers["Content-Type"] == media_type, f"{method} {url}: {answer_headers['Content-Type']}"
        if media_type == "text/event-stream":
            return answer_headers, None
        value = json.loads(body)
        self.hold(value, content.get("schema", {}), f"{method} {url}: {status}")
        return answer_headers, value

    def hold(self, value, schema, what):
        """Compares a value with a schema."""
        schema = {**closed({"components": self.components}, schema), "components": self.components}
        checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        errors = [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]
        assert not errors, f"{what}:\n" + "\n".join(errors)

    def queries(self, name):
        parameters = self.operations[name][2].get("parameters", [])
        return {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == "query"}

    def path(self, name):
        """Returns a value for each parameter of an operation's path."""
        number = "77" if name in ("read_dead_letter", "read_replay", "cancel_replay") else "1-00000000"
        return [NOBODY if name == "read_event" else number] * self.operations[name][1].count("{")


def check_answers(description, service):
    """Calls each operation for data that exists."""
    for name in description.operations:
        if "{" not in description.operations[name][1] and name != "rebuild_index":
            body = json.dumps(CHANGES[name]) if name in CHANGES else None
            description.check(service, name, 200, headers={**BEARER, **JSON}, body=body)
    check_changes(description, service)
    for session in service.items("sessions?limit=1000"):
        names = [session["domain"], session["app_name"], session["stream"]]
        description.check(service, "read_session", 200, [session["id"]])
        description.check(service, "read_stream", 200, names)
    for event in service.items("events?limit=1000"):
        headers, _ = description.check(service, "read_event", 200, [event["id"]])
        known = {**BEARER, "If-None-Match": headers["ETag"]}
        description.check(service, "read_event", 304, [event["id"]], known)
    headers, _ = description.check(service, "read_openapi", 200)
    description.check(service, "read_openapi", 304, (), {**BEARER, "If-None-Match": headers["ETag"]})
    assert any(stream["stream"] == "demo" for stream in service.items("streams"))
    assert any(session["stream"] == HOSTILE for session in service.items("sessions"))
    for member in ("event_type", "late_secs", "body_bytes", "fault", "members_bytes", "members"):
        are_null = {refusal[member] is None for refusal in service.items("refusals")}
        assert are_null == {False, True}, f"refused callbacks with and without {member} must be seen"
    # This comes last because it leaves the index empty for a while.
    description.check(service, "rebuild_index", 202, (), {**BEARER, **JSON})


def check_changes(description, service):
    """Makes changes, and sends bodies that livehook rejects."""
    def change(name, status, body, path=()):
        return description.check(service, name, status, path, {**BEARER, **JSON}, body=body)[1]

    number = change("begin_replay", 202, json.dumps({"sink": "log", "types": ["push"]}))["id"]
    until("it has ended", lambda: description.check(service, "read_replay", 200, [str(number)])[1]["state"] == "done")
    change("cancel_replay", 200, "{}", [str(number)])
    assert description.check(service, "list_replays", 200)[1]["items"]
    for name in ("redrive_dead_letters", "begin_replay"):
        change(name, 409, json.dumps({"sink": "gone"}))
    for name in ("redrive_dead_letters", "drop_dead_letters", "begin_replay"):
        change(name, 413, json.dumps({"sink": "x" * 300_000}))
        change(name, 400, json.dumps({"no_such": 1}))
        change(name, 400, json.dumps([True]))
    change("retry_sink", 202, "{}", ["log"])
    change("skip_events", 200, json.dumps({"streams": ["nobody"]}), ["log"])
    session, = service.items("sessions?stream=bare")
    assert change("end_session", 200, json.dumps(CHANGES["end_session"]), [session["id"]])["is_new"]
    change("end_session", 409, json.dumps(CHANGES["end_session"]), [session["id"]])
    paths = {
        "rebuild_index": (), "cancel_replay": [str(number)], "retry_sink": ["log"], "skip_events": ["log"],
        "end_session": [session["id"]], "reload_configuration": (),
    }
    config = service.folder / "config.toml"
    text = config.read_text()
    config.write_text(f"{text}no_such = 1\n")
    assert "no_such" in change("reload_configuration", 422, "{}")["detail"]
    config.write_text(text.replace("[receiver]", "[receiver]\nleeway_secs = 1"))
    assert change("reload_configuration", 200, "{}")["changes"]
    config.write_text(text)
    for name, path in paths.items():
        change(name, 413, json.dumps({"no_such": "x" * 300_000}), path)
        change(name, 400, json.dumps({"no_such": 1}), path)


def check_feed(description, service):
    """Compares each message of the feed with its schema, and sees every documented kind."""
    schemas = {kind: {"$ref": f"#/components/schemas/{kind.capitalize()}"} for kind in ("event", "session", "gap")}
    events = len(service.items("events?limit=1000"))
    seen = []
    for kind, value in service.messages("since=2020-01-01", {}):
        description.hold(value, schemas[kind], f"the feed: {kind}")
        seen.append(kind)
        # The last event is a push, and the new state of its session follows.
        if seen.count("event") == events and kind == "session":
            break
    for query, headers in (("", {"Last-Event-ID": "0" * 16 + "-1"}), ("last_event_id=" + "0" * 16 + "-1", {})):
        kind, value = next(service.messages(query, headers))
        description.hold(value, schemas[kind], f"the feed: {kind}")
        seen.append(kind)
    assert set(seen) == set(schemas), seen
    description.check(service, "follow_feed", 400, (), {**BEARER, "Last-Event-ID": "1"})


def check_parameters(description, service):
    """Sends every documented parameter with each of its words and bounds, and one that does not exist."""
    samples = {"domain": ["*.example.com"], "stream": ["demo"], "app_name": ["live"], "type": ["push", "321"],
               "since": ["2h"], "until": ["2026-05-01T12:00:00Z"], "client": ["127.0.0.1", "2001:db8::/32"], "sink": ["log"], "id": [NOBODY],
               "last_event_id": ["0123456789abcdef-1"]}
    for name in description.operations:
        headers = {**BEARER, **JSON}
        path, queries = description.path(name), description.queries(name)
        _, problem = description.check(service, name, 400, path, headers, {"no_such": "1"})
        taken = re.search(r"it takes (.*)", problem["detail"]).group(1)
        assert set(queries) == (set() if taken == "none" else set(taken.split(", "))), f"{name}: {taken}"
        for query, schema in queries.items():
            if query == "page":
                description.check(service, name, 400, path, headers, {"page": "0" * 48})
                continue
            bounds = [schema[bound] for bound in ("minimum", "maximum") if bound in schema]
            words = samples.get(query) or bounds or schema.get("enum") or schema["items"]["enum"]
            for word in words:
                description.check(service, name, 200, path, headers, {query: word})
            if schema["type"] == "array":
                description.check(service, name, 200, path, headers, {query: words * 2})
            else:
                description.check(service, name, 400, path, headers, {query: [words[0]] * 2})
            if bounds:
                description.check(service, name, 400, path, headers, {query: schema["maximum"] + 1})
                description.check(service, name, 400, path, headers, {query: schema["minimum"] - 1})


# These work without an index. Their other 503s need a failing disk.
WITHOUT_INDEX = [
    "list_events", "read_stats", "list_sinks", "list_error_codes", "list_refusals", "read_openapi", "list_dead_letters",
    "list_replays",
]


def check_refusals(description, service, outside, without_index):
    """Asks for data that does not exist, without permission, or without an index."""
    for name, (_, _, operation) in description.operations.items():
        path, statuses = description.path(name), operation["responses"]
        description.check(service, name, 403, path, {"Host": "evil.example.com", **BEARER, **JSON})
        description.check(service, name, 403, path, {"Sec-Fetch-Site": "cross-site", **BEARER, **JSON})
        description.check(service, name, 431, path, {"X-Long": "x" * 20_000, **BEARER, **JSON})
        description.check(outside, name, 401, path, JSON)
        if "404" in statuses:
            description.check(service, name, 404, path, {**BEARER, **JSON}, body=json.dumps(CHANGES.get(name, {})))
        if name not in WITHOUT_INDEX and name not in CHANGES and name not in ("read_dead_letter", "read_replay"):
            # Without an index the feed still has events.
            query = {"kind": "session"} if name == "follow_feed" else None
            description.check(without_index, name, 503, path, {**BEARER, **JSON}, query)
        if operation.get("security") == [{"token": []}]:
            description.check(service, name, 401, path, JSON)
            description.check(service, name, 415, path, BEARER)
    for name in WITHOUT_INDEX:
        description.check(without_index, name, 200)


def main():
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="livehook-openapi-"))) for _ in range(3)]
        service = stack.enter_context(Service(folders[0]).running())
        outside = stack.enter_context(Service(folders[1], admin_host="0.0.0.0").running())
        without_index = stack.enter_context(Service(folders[2], index=False).running())
        fill(service)
        description = Description(json.loads(service.get("/api/v1/openapi.json")[2]))
        check_parameters(description, service)
        check_feed(description, service)
        check_answers(description, service)
        check_refusals(description, service, outside, without_index)
        left = {f"{name} {status}" for name, status in description.left if status not in ("500", "503")}
        left -= UNSEEN
        assert not left, f"these are documented and were not seen: {sorted(left)}"
    print(f"ok: {len(description.operations)} operations match the document")


main()
