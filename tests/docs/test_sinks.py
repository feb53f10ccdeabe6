"""The sinks of docs/sinks.md deliver, and the examples receive."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import sys
import time
import tomllib

from documents import ROOT, block, blocks, replace, table
from programs import free_port, livehook, running, until
from service import Service, script

SINKS = "docs/sinks.md"
PROGRAMS = {"receiver.py": sys.executable, "receiver.js": "node"}


def signed(secret, message_id, timestamp, body):
    """The headers of a request as Standard Webhooks defines them, computed without code of livehook or of an example."""
    key = base64.b64decode(secret.strip().removeprefix("whsec_") + "==")
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id, "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def post(port, body, headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/events", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def check_a_receiver(name, config, folder):
    """Runs a receiver and livehook as they stand. The receiver takes what livehook signed, once, and nothing else."""
    port = free_port()
    script(block(SINKS, "http", "sh", "keygen --webhook"), folder)
    script("livehook keygen > callback.key", folder)
    # The second secret of a receiver is one that livehook is about to use, or did use.
    (folder / "livehook.secret").write_text((folder / "webhook.secret").read_text())
    script("livehook keygen --webhook >> webhook.secret", folder)
    source = (ROOT / "examples" / name).read_text()
    (folder / name).write_text(replace(source, "8000", str(port)))
    config = replace(config, ":8000/", f":{port}/").replace('"webhook.secret"', '"livehook.secret"')
    service = Service(folder, config)
    with running(name, [PROGRAMS[name], name], port, folder) as receiver, service.running():
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        service.send("--stream", "demo")
        log = folder / f"{name}.log"
        until("the event arrives", lambda: "tencent.css.push demo" in log.read_text(), receiver)
        event = service.events()[0]
        assert f'{event["id"]} tencent.css.push demo' in log.read_text()

        now = int(time.time())
        for secret in (folder / "webhook.secret").read_text().split():
            one = json.dumps(event).encode()
            several = json.dumps([event, {**event, "id": f"another-{secret}"}]).encode()
            assert post(port, one, signed(secret, "again", now, one)) == 204, "a duplicate is accepted"
            assert post(port, several, signed(secret, "list", now, several)) == 204, "a list is accepted"
        other = livehook("keygen", "--webhook", folder=folder)
        good = signed(secret, "id", now, one)
        for what, headers in {
            "another secret": signed(other, "id", now, one),
            "a stale timestamp": signed(secret, "id", now - 301, one),
            "another id": {**good, "webhook-id": "other"},
            "another timestamp": {**good, "webhook-timestamp": str(now - 1)},
            "no number": {**good, "webhook-timestamp": "soon"},
            "a short signature": {**good, "webhook-signature": "v1,x"},
            "no headers": {},
        }.items():
            assert post(port, one, headers) == 401, f"{name} accepts {what}"
        assert post(port, one + b" ", good) == 401, f"{name} accepts another body"
        lines = [line for line in log.read_text().splitlines() if "tencent.css" in line]
        assert len(lines) == 3, f"each event is stored once:\n{lines}"
    check_a_torn_line(name, port, secret, one, folder)


def check_a_torn_line(name, port, secret, body, folder):
    """A crash can leave half a line in the file of a receiver. The next start removes it, and knows the other events."""
    stored = folder / "received.jsonl"
    if not stored.exists():
        return
    with stored.open("a") as file:
        file.write('{"id":"half a li')
    with running(name, [PROGRAMS[name], name], port, folder):
        for event in (json.loads(body), {**json.loads(body), "id": "after the crash"}):
            body = json.dumps(event).encode()
            assert post(port, body, signed(secret, "torn", int(time.time()), body)) == 204
    ids = [json.loads(line)["id"] for line in stored.read_text().splitlines()]
    assert len(ids) == 4 and ids[-1] == "after the crash", ids


def test_the_receiver_in_python(folder):
    check_a_receiver("receiver.py", block(SINKS, "http", "toml", "secrets_file"), folder)


def test_the_receiver_in_node(folder):
    check_a_receiver("receiver.js", block(SINKS, "http", "toml", "secrets_file"), folder)


def test_the_programs_of_the_command_sink(folder):
    for name in ("notify.py", "notify_lines.py"):
        (folder / name).write_text((ROOT / "examples" / name).read_text())
    config = "".join(each.text for each in blocks(SINKS, "command", "toml"))
    service = Service(folder, config)
    with service.running():
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        for stream in ("one", "two", "three"):
            service.send("--event", "stop", "--stream", stream)
            for said in (f"{stream} stopped:", f"tencent.css.stop {stream}"):
                until(said, lambda said=said: said in service.log(), service.process)
        assert "the sink fails" not in service.log()
        assert json.loads(service.get("/readyz")[1])["sinks"][0]["dead_letters"] == 0


def test_the_other_sinks_deliver(folder):
    """The file and the log sink, the filter, and the command that checks sinks."""
    config = "".join(block(SINKS, section, "toml") for section in ("Filter", "log", "file"))
    service = Service(folder, config)
    with service.running():
        script(block(SINKS, "Check the sinks", "sh"), folder, {"LIVEHOOK_KEYS": "test"})
        for stream in ("room-1", "lobby"):
            service.send("--event", "pair", "--stream", stream)
        file = folder / "events.jsonl"
        until("the file has all", lambda: len(file.read_text().splitlines()) == 4, service.process)
        # `stdout` has all four, `stops` the one that matches.
        until("stdout has all", lambda: service.log().count('{"specversion"') == 5, service.process)
        stops = [line for line in service.log().splitlines() if '"tencent.css.stop"' in line and "room-1" in line]
        assert len(stops) == 2, stops


def test_the_redis_sink_delivers(folder):
    port = free_port()
    (folder / "redis").mkdir()
    server = [ROOT / "tests" / "servers" / "redis", folder / "redis", str(port)]
    config = replace(block(SINKS, "redis", "toml"), ":6379", f":{port}")
    service = Service(folder, config)
    read = lambda section, containing: script(
        block(SINKS, section, "sh", containing).replace("redis-cli", f"redis-cli -p {port}"), folder
    )[0]
    with running("redis-server", server, port, folder), service.running():
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        service.send("--stream", "demo")
        count = lambda: script(f"redis-cli -p {port} XLEN livehook:events; redis-cli -p {port} HLEN livehook:live", folder)[0]
        until("redis has the event", lambda: count().split() == ["1", "1"], service.process)
        assert '"subject":"demo"' in read("A stream of events", "XREADGROUP").replace("\\", "")
        domain = service.events()[0]["partitionkey"].split("/")[0]
        live = block(SINKS, "The live streams", "sh", "HLEN")
        partition_key = service.events()[0]["partitionkey"]
        live = live.replace("push.example.com/live/demo", partition_key).replace("push.example.com", domain)
        output = script(live.replace("redis-cli", f"redis-cli -p {port}"), folder)[0]
        assert partition_key in output and '"stream":"demo"' in output.replace("\\", ""), output


def test_the_nats_sink_delivers(folder):
    port, monitor = free_port(), free_port()
    (folder / "nats").mkdir()
    server = [ROOT / "tests" / "servers" / "nats", folder / "nats", str(port), "--http_port", str(monitor)]
    service = Service(folder, replace(block(SINKS, "nats", "toml"), ":4222", f":{port}"))
    with running("nats-server", server, port, folder), service.running():
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        service.send("--stream", "demo")
        streams = lambda: script(f"curl -sf 'http://127.0.0.1:{monitor}/jsz?streams=true'", folder)[0]
        until("the stream has the event", lambda: '"messages": 1,' in streams(), service.process)


def test_the_amqp_sink_delivers(folder):
    """No queue takes the event, so it waits, and livehook says so."""
    port = free_port()
    (folder / "rabbitmq").mkdir()
    server = [ROOT / "tests" / "servers" / "rabbitmq", folder / "rabbitmq", str(port)]
    service = Service(folder, replace(block(SINKS, "amqp", "toml"), ":5672", f":{port}"))
    with running("rabbitmq-server", server, port, folder, timeout_secs=120), service.running():
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        service.send("--stream", "demo")
        until("livehook names the binding", lambda: "no queue takes the routing key" in service.log(), service.process)


def test_the_kafka_sink_delivers(folder):
    port = free_port()
    (folder / "noida").mkdir()
    server = [ROOT / "tests" / "servers" / "noida", folder / "noida", str(port)]
    service = Service(folder, replace(block(SINKS, "kafka", "toml", "127.0.0.1:9092"), ":9092", f":{port}"))
    with running("noida-db", server, port, folder), service.running():
        service.send("--stream", "demo")
        until("livehook names the topic", lambda: "has no topic `css-events`" in service.log(), service.process)


def test_kafka_as_a_service_is_valid(folder):
    """The configurations are right for livehook. The services themselves are out of reach."""
    section = "Kafka as a service of Tencent Cloud"
    for name in ("ckafka", "cls"):
        (folder / f"{name}.password").write_text("a-password\n")
        (folder / "config.toml").write_text(block(SINKS, section, "toml", f'name = "{name}"'))
        livehook("check-config", "--config", "config.toml", "--key", "test", folder=folder)


def test_the_database_sinks_deliver(folder):
    """The configurations of both, and each query with its client."""
    (folder / "mysql.password").write_text("livehook\n")
    queries = [each.text for each in blocks(SINKS, "Queries", "sql")]
    assert len(queries) == 5
    for name, section, port_text, client in (
        ("postgres", "postgres://", ":5432", "psql -h 127.0.0.1 -p {port} -U livehook -d live -At"),
        ("mysql", "mysql://", ":3306", "mariadb -h 127.0.0.1 -P {port} -u livehook -plivehook -NB live"),
    ):
        # The user of the server needs a way to its folder, so that is not below `place`.
        port, place, data = free_port(), folder / name, folder / f"{name}-server"
        place.mkdir()
        data.mkdir()
        (place / "mysql.password").write_text("livehook\n")
        config = replace(block(SINKS, "postgres and mysql", "toml", section), port_text, f":{port}")
        service = Service(place, config)
        ask = lambda query, client=client, port=port: script(f"{client.format(port=port)} <<'QUERY'\n{query}\nQUERY\n", place)[0]
        with running(name, [ROOT / "tests" / "servers" / name, data, str(port)], port, place, timeout_secs=60):
            until("the server answers", lambda ask=ask: ready(ask), timeout_secs=30)
            livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=place)
            with service.running():
                service.send("--event", "pair", "--stream", "room-1")
                service.send("--stream", "room-1")
                until("the database has all", lambda ask=ask: has_events(ask, 3), service.process)
                live, minutes, stops, moment, session = [ask(query.replace("2026-05-01 12:00:00", "2999-01-01 00:00:00")
                    .replace("2026-05-01", "1970-01-01").replace("2026-06-01", "2999-01-01")).splitlines() for query in queries]
                assert (len(live), len(minutes), len(stops), len(moment), len(session)) == (1, 1, 1, 1, 3), (live, minutes, stops, moment, session)


def ready(ask):
    try:
        return ask("SELECT 1").strip() == "1"
    except AssertionError:
        return False


def has_events(ask, count):
    try:
        return ask("SELECT COUNT(*) FROM livehook_events").strip() == str(count)
    except AssertionError:
        # The sink makes the table when it starts.
        return False


def test_a_build_with_chosen_sinks(folder):
    """The command names features that exist. It isn't run, because it takes minutes."""
    command = block(SINKS, "Builds", "sh")
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert set(command.split("--features ")[1].strip().split(",")) <= set(manifest["features"])
    assert {row[0].strip("`") for row in table(SINKS, "Builds")} == set(manifest["features"]) - {"connection"}
