"""Reads back what the sinks delivered to real servers, with other people's clients, and the envelope with the SDK of CloudEvents.
Runs the real binary.

    cargo build --features full && python3 tests/sinks.py FOLDER

FOLDER holds the packages of tests/requirements/sinks.txt. Needs redis-server, PostgreSQL, MariaDB, RabbitMQ and openssl. The
servers of other brokers are among these packages.
"""

import asyncio
import contextlib
import datetime
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import nats  # noqa: E402
import nats_keys  # noqa: E402
import pika  # noqa: E402
import psycopg  # noqa: E402
import pymysql  # noqa: E402
import redis  # noqa: E402
from cloudevents.core.bindings.http import HTTPMessage, from_structured  # noqa: E402
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
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


def certificates(folder, authority="tests"):
    """Makes a certificate authority, and a certificate of the server and of livehook each."""
    openssl = lambda *arguments: subprocess.run(["openssl", *arguments], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, f"/CN={authority}", "-x509", "-days", "1", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    for name in ("server", "client"):
        openssl(*new, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
                "-extfile", "names", "-out", f"{name}.pem")


def refused(keys, folder):
    """Checks a wrong sink, and returns what livehook says."""
    probe = folder / "probe.toml"
    probe.write_text(f'receiver.keys = ["{KEY}"]\n[[sinks]]\nname = "wrong"\n{keys}')
    command = [LIVEHOOK, "check-config", "--config", probe, "--probe"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and PASSWORD not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stderr


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
        for wrong, said in ((keys, "NOAUTH"), (keys + 'user = "me"\n' + login, "WRONGPASS")):
            assert said in refused(wrong, folder)
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


async def messages_of(context, stream):
    """Returns every message of a JetStream stream."""
    count = (await context.stream_info(stream)).state.messages
    return [await context.get_msg(stream, sequence) for sequence in range(1, count + 1)]


def test_nats(folder):
    """Both forms of a message, over TLS with certificates on both sides and a password."""
    certificates(folder)
    (folder / "password").write_text(PASSWORD + "\n")
    port = free_port()
    tls = ["--tlsverify", "--tlscert", folder / "server.pem", "--tlskey", folder / "server.key", "--tlscacert",
           folder / "ca.pem", "--user", "me", "--pass", PASSWORD]
    keys = (
        f'type = "nats"\nurl = "tls://localhost:{port}"\nca_file = "{folder}/ca.pem"\n'
        f'client_certificate_file = "{folder}/client.pem"\nclient_key_file = "{folder}/client.key"\n'
    )
    login = f'user = "me"\npassword_file = "{folder}/password"\n'
    create = 'create_stream = true\n'
    sinks = (
        f'[[sinks]]\nname = "events"\n{keys}{login}{create}'
        f'[[sinks]]\nname = "data"\n{keys}{login}{create}stream = "data"\nsubject = "data.{{type}}"\nformat = "data"\n'
    )

    async def read():
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "client.pem", folder / "client.key")
        client = await nats.connect(f"tls://localhost:{port}", tls=context, user="me", password=PASSWORD)
        try:
            return [await messages_of(client.jetstream(), stream) for stream in ("livehook", "data")]
        except nats.js.errors.NotFoundError:
            return [[], []]
        finally:
            await client.close()

    (folder / "nats").mkdir()
    with running("nats", [ROOT / "tests" / "servers" / "nats", folder / "nats", str(port), *tls], port, folder):
        assert "authorization violation" in refused(keys, folder)
        assert "has no stream `livehook`: create it" in refused(keys + login, folder)
        with delivering(sinks, folder) as stored:
            until("the streams are complete", lambda: [len(some) for some in asyncio.run(read())] == [len(stored)] * 2)
            events, data = asyncio.run(read())
        assert {message.headers["Nats-Msg-Id"] for message in events} == {event["id"] for event in stored}
        by_id = {event["id"]: event for event in stored}
        for message in events:
            expected = by_id[message.headers["Nats-Msg-Id"]]
            check_envelope(message.data.decode(), expected)
            assert message.subject.startswith("livehook.") and message.subject.count(".") == 4, message.subject
        for message in data:
            assert json.loads(message.data) == by_id[message.headers["Nats-Msg-Id"]]["data"]
    print(f"ok: nats has {len(stored)} events")


def check_renewal(account, keys, messages, folder):
    """Credentials that expire while livehook uses them, and new ones in the same file."""
    scratch, file = folder / "renewal", folder / "short.creds"
    scratch.mkdir()
    end = int(time.time()) + 4
    file.write_text(nats_keys.credentials(account, end))
    before = messages()
    with delivering(f'[[sinks]]\nname = "events"\n{keys}credentials_file = "{file}"\nsubject = "again.{{type}}"\nstream = "again"\n', scratch) as stored:
        until("every event is stored", lambda: messages() == before + len(stored))
        until("the credentials expire", lambda: time.time() > end + 1)
        receiver = tomllib.loads((scratch / "config.toml").read_text())["receiver"]["listen"]
        livehook("send", "--key", KEY, "--url", f"http://{receiver}/callback", "--event", "push", folder=scratch)
        time.sleep(1)
        assert messages() == before + len(stored)
        file.write_text(nats_keys.credentials(account))
        until("the next event is stored", lambda: messages() == before + len(stored) + 1)


def test_nats_logins(folder):
    """Credentials of a user in operator mode, and an NKey: right, wrong and expired."""
    account, user = nats_keys.Key("account"), nats_keys.Key("user")
    now = int(time.time())
    for name, text in {
        "right.creds": nats_keys.credentials(account, now + 3600),
        "foreign.creds": nats_keys.credentials(nats_keys.Key("account")),
        "expired.creds": nats_keys.credentials(account, now - 1),
        "right.nk": user.seed + "\n",
        "foreign.nk": nats_keys.Key("user").seed,
        "operator.conf": nats_keys.operator_mode(account),
        "nkey.conf": f"authorization {{ users = [{{ nkey: {user.public} }}] }}\n",
    }.items():
        (folder / name).write_text(text)
    for login, key, wrongs in (
        ("operator", "credentials_file", {"foreign.creds": "correct the login", "expired.creds": "renew it if it has expired"}),
        ("nkey", "nkey_file", {"foreign.nk": "correct the login", "right.creds": "must contain the seed of a user"}),
    ):
        (folder / login).mkdir()
        port, monitor = free_port(), free_port()
        keys = f'type = "nats"\nurl = "nats://127.0.0.1:{port}"\ncreate_stream = true\n'
        server = [ROOT / "tests/servers/nats", folder / login, str(port), "--config", folder / f"{login}.conf", "--http_port", str(monitor)]
        with running("nats", server, port, folder):
            for wrong, said in wrongs.items():
                assert_refused(f'{keys}{key} = "{folder}/{wrong}"\n', folder, said)
            assert_refused(keys, folder, "correct the login")
            right = "right.creds" if key == "credentials_file" else "right.nk"
            messages = lambda: json.load(urllib.request.urlopen(f"http://127.0.0.1:{monitor}/jsz"))["messages"]
            scratch = folder / f"livehook-{login}"
            scratch.mkdir()
            with delivering(f'[[sinks]]\nname = "events"\n{keys}{key} = "{folder}/{right}"\n', scratch) as stored:
                until("every event is stored", lambda: messages() == len(stored))
            if key == "credentials_file":
                check_renewal(account, keys, messages, folder)
        print(f"ok: nats takes events after a login with {key}")


def test_amqp(folder):
    """All forms of a message, over TLS with certificates on both sides and a password."""
    certificates(folder)
    (folder / "password").write_text("guest\n")
    plain, port = free_port(), free_port()
    tls = [f"listeners.ssl.1 = 127.0.0.1:{port}", f"ssl_options.cacertfile = {folder}/ca.pem",
           f"ssl_options.certfile = {folder}/server.pem", f"ssl_options.keyfile = {folder}/server.key",
           "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true"]
    keys = (
        f'type = "amqp"\nurl = "amqps://localhost:{port}"\nca_file = "{folder}/ca.pem"\n'
        f'client_certificate_file = "{folder}/client.pem"\nclient_key_file = "{folder}/client.key"\nuser = "guest"\n'
    )
    login = f'password_file = "{folder}/password"\n'
    formats = ("cloudevents", "binary", "data")
    sinks = "".join(
        f'[[sinks]]\nname = "{form}"\n{keys}{login}exchange = ""\nrouting_key = "{form}"\nformat = "{form}"\n'
        for form in formats
    )
    (folder / "rabbitmq").mkdir()
    server = [ROOT / "tests" / "servers" / "rabbitmq", folder / "rabbitmq", str(plain), *tls]
    with running("rabbitmq", server, plain, folder, timeout_secs=120):
        (folder / "wrong").write_text(PASSWORD)
        assert "ACCESS_REFUSED" in refused(keys + f'password_file = "{folder}/wrong"\n', folder)
        assert "no exchange 'livehook'" in refused(keys + login, folder)
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", plain))
        channel = connection.channel()
        for form in formats:
            channel.queue_declare(form, durable=True)
        with delivering(sinks, folder) as stored:
            count = lambda form: channel.queue_declare(form, passive=True).method.message_count
            until("the queues are complete", lambda: [count(form) for form in formats] == [len(stored)] * len(formats))
        by_id = {event["id"]: event for event in stored}
        for form in formats:
            for _ in stored:
                _, properties, body = channel.basic_get(form, auto_ack=True)
                expected = by_id[properties.message_id]
                assert properties.type == expected["type"] and properties.delivery_mode == 2
                if form == "cloudevents":
                    check_envelope(body.decode(), expected)
                    continue
                assert json.loads(body) == expected["data"]
                if form == "binary":
                    headers = {name.removeprefix("cloudEvents:"): value for name, value in properties.headers.items()}
                    wanted = {name: value for name, value in expected.items() if name not in ("data", "datacontenttype")}
                    assert headers == {**wanted, "verified": json.dumps(wanted["verified"])}, headers
        connection.close()
    print(f"ok: rabbitmq has {len(stored)} events")


def read_topic(client, topic, count):
    """Waits until a topic of three partitions has this many records, and returns them."""
    consumer = Consumer({**client, "group.id": topic})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    records = []

    def is_complete():
        record = consumer.poll(0.5)
        records.extend([record] if record is not None and record.error() is None else [])
        return len(records) >= count

    until(f"{topic} has every event", is_complete)
    consumer.close()
    return records


def test_kafka(folder):
    """All forms of a record, in the partition that the Java client would choose, from two brokers."""
    formats = ("cloudevents", "binary", "data")
    for broker in ("noida", "tansu"):
        scratch = folder / broker
        port = free_port()
        (scratch / "server").mkdir(parents=True)
        address = f"127.0.0.1:{port}"
        sinks = "".join(
            f'[[sinks]]\nname = "{form}"\ntype = "kafka"\nbrokers = ["{address}"]\ntopic = "{form}"\nformat = "{form}"\n'
            f'compression = "{compression}"\n'
            for form, compression in zip(formats, ("gzip", "none", "lz4"), strict=True)
        )
        with running(broker, [ROOT / "tests" / "servers" / broker, scratch / "server", str(port)], port, scratch):
            missing = f'type = "kafka"\nbrokers = ["{address}"]\n'
            assert "has no topic `livehook`" in refused(missing, scratch)
            admin = AdminClient({"bootstrap.servers": address})
            for created in admin.create_topics([NewTopic(form, 3, 1) for form in formats]).values():
                created.result(20)
            with delivering(sinks, scratch) as stored:
                by_id = {event["id"]: event for event in stored}
                for form in formats:
                    records = read_topic({"bootstrap.servers": address}, form, len(stored))
                    for record in records:
                        headers = {name: value.decode() for name, value in record.headers()}
                        expected = by_id[headers["ce_id"]]
                        assert record.key().decode() == expected["partitionkey"]
                        if form == "cloudevents":
                            check_envelope(record.value().decode(), expected)
                            continue
                        assert json.loads(record.value()) == expected["data"]
                        if form == "binary":
                            message = KafkaMessage(headers=dict(record.headers()), key=record.key(), value=record.value())
                            event = from_binary_event(message)
                            assert event.get_type() == expected["type"] and event.get_source() == expected["source"]
                            assert event.get_subject() == expected.get("subject")
        print(f"ok: {broker} has {len(stored)} events in {len(formats)} forms")


def test_kafka_logins(folder):
    """TLS and each mechanism of SASL: right, wrong, and with a certificate that proves nothing."""
    certificates(folder)
    (folder / "other").mkdir()
    certificates(folder / "other", authority="others")
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "wrong").write_text("another-password")
    for login in ("certificate", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        scratch = folder / login
        (scratch / "server").mkdir(parents=True)
        port, broker = free_port(), free_port()
        keys = f'type = "kafka"\nbrokers = ["localhost:{port}"]\ntopic = "events"\ntls = true\ntimeout_secs = 5\n'
        ca = f'ca_file = "{folder}/ca.pem"\n'
        if login == "certificate":
            identity = lambda home: f'client_certificate_file = "{home}/client.pem"\nclient_key_file = "{home}/client.key"\n'
            right, wrongs = identity(folder), {"": "certificate", identity(folder / "other"): "certificate"}
        else:
            sasl = lambda mechanism, user, file: (
                f'sasl = {{ mechanism = "{mechanism}", user = "{user}", password_file = "{folder}/{file}" }}\n'
            )
            other = "PLAIN" if login != "PLAIN" else "SCRAM-SHA-256"
            right = sasl(login, "me", "password")
            wrongs = {
                sasl(login, "me", "wrong"): "correct `sasl.user` and the password",
                sasl(login, "you", "password"): "correct `sasl.user` and the password",
                sasl(other, "me", "password"): "`sasl.mechanism`",
            }
        front = [ROOT / "tests/servers/kafka_front", folder, str(port), str(broker), login, "me", PASSWORD]
        server = [ROOT / "tests/servers/tansu", scratch / "server", str(broker), str(port), "localhost"]
        with running("tansu", server, broker, scratch), running("front", front, port, scratch):
            for wrong, said in wrongs.items():
                assert_refused(keys + ca + wrong, scratch, said)
            # Another authority, and another name than the certificate's.
            assert_refused(keys + f'ca_file = "{folder}/other/ca.pem"\n' + right, scratch, "no CA that livehook trusts")
            assert_refused(keys.replace("localhost", "127.0.0.1") + ca + right, scratch, "another host")
            assert_refused(keys + ca + right, scratch, "has no topic `events`")
            client = {"bootstrap.servers": f"localhost:{port}", "ssl.ca.location": f"{folder}/ca.pem", "log_level": 0}
            if login == "certificate":
                client |= {"security.protocol": "SSL", "ssl.certificate.location": f"{folder}/client.pem",
                           "ssl.key.location": f"{folder}/client.key"}
            else:
                client |= {"security.protocol": "SASL_SSL", "sasl.mechanism": login, "sasl.username": "me", "sasl.password": PASSWORD}
            admin = AdminClient(client)
            for created in admin.create_topics([NewTopic("events", 3, 1)]).values():
                created.result(20)
            with delivering(f'[[sinks]]\nname = "events"\n{keys}{ca}{right}', scratch) as stored:
                records = read_topic(client, "events", len(stored))
                assert {dict(record.headers())["ce_id"].decode() for record in records} == {event["id"] for event in stored}
        print(f"ok: kafka takes events after a login with {login}")


def check_rows(rows, stored):
    """The columns of each row hold the attributes that the SDK of CloudEvents reads, and `data` is equal."""
    by_id = {str(row[0]): row for row in rows}
    assert len(rows) == len(stored)
    utc = lambda moment: moment and moment.replace(tzinfo=datetime.timezone.utc)
    for line in stored:
        message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=json.dumps(line).encode())
        event = from_structured(message, JSONFormat())
        _, type_name, domain, app, stream, sequence, time, received, data = by_id[event.get_id()]
        assert (type_name, stream or None) == (event.get_type(), event.get_subject())
        assert "/".join((domain, app, stream)) == event.get_extension("partitionkey")
        assert sequence == event.get_extension("pushsequence")
        # Without a time, the SDK gives the present one.
        assert utc(time) == (event.get_time() if "time" in line else None), (time, line)
        assert utc(received) == datetime.datetime.fromisoformat(event.get_extension("receivedtime"))
        assert (json.loads(data) if isinstance(data, str) else data) == event.get_data()


def assert_refused(keys, folder, said):
    text = refused(keys, folder)
    assert said in text, text


def check_database(folder, type_name, server, port, prepare, connect):
    """Events and sessions of a database, over TLS with certificates on both sides and a password."""
    (folder / "password").write_text(PASSWORD + "\n")
    keys = (
        f'type = "{type_name}"\nurl = "{type_name}://writer@localhost:{port}/live?sslmode=verify-full"\n'
        f'ca_file = "{folder}/ca.pem"\n'
    )
    identity = f'client_certificate_file = "{folder}/client.pem"\nclient_key_file = "{folder}/client.key"\n'
    login = f'password_file = "{folder}/password"\n'
    with running(type_name, server, port, folder, timeout_secs=60):
        until("the server answers", lambda: prepare() or True, timeout_secs=30)
        assert_refused(keys + identity, folder, "password")
        assert_refused(keys + login, folder, "certificate" if type_name == "postgres" else "Access denied")
        assert_refused(keys.replace(f'ca_file = "{folder}/ca.pem"\n', "") + identity + login, folder, "no CA that livehook trusts")
        # The name in the certificate is another one than the address.
        assert_refused(keys.replace("localhost", "127.0.0.1") + identity + login, folder, "another host")
        with delivering(f'[[sinks]]\nname = "events"\n{keys}{identity}{login}', folder) as stored, connect() as connection:
            cursor = connection.cursor()
            count = "SELECT COUNT(*) FROM livehook_events"
            until("the events", lambda: (cursor.execute(count), cursor.fetchone(), connection.commit())[1] == (len(stored),))
            cursor.execute("SELECT id, type, domain, app, stream, sequence, time, received, data FROM livehook_events")
            check_rows(cursor.fetchall(), stored)
            cursor.execute("SELECT stream, started FROM livehook_sessions")
            assert cursor.fetchall()
    print(f"ok: {type_name} has {len(stored)} events")


def test_postgres(folder):
    certificates(folder)
    (folder / "postgres").mkdir()
    if os.getuid() == 0:
        shutil.chown(folder / "server.key", "postgres")
    (folder / "server.key").chmod(0o600)
    (folder / "hba").write_text("host all livehook all trust\nhostssl all writer all scram-sha-256 clientcert=verify-ca\n")
    (folder / "hba").chmod(0o644)
    port = free_port()
    settings = [f"ssl_cert_file={folder}/server.pem", f"ssl_key_file={folder}/server.key", f"ssl_ca_file={folder}/ca.pem"]
    server = [ROOT / "tests/servers/postgres", folder / "postgres", str(port), "ssl=on", f"hba_file={folder}/hba", *settings]
    connect = lambda: psycopg.connect(f"postgresql://livehook@127.0.0.1:{port}/live")

    def prepare():
        with contextlib.closing(retried(connect, psycopg.OperationalError)) as connection:
            connection.execute(f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("GRANT CREATE ON SCHEMA public TO writer")
            connection.commit()

    check_database(folder, "postgres", server, port, prepare, connect)


def test_mysql(folder):
    certificates(folder)
    (folder / "mysql").mkdir()
    if os.getuid() == 0:
        shutil.chown(folder / "server.key", "mysql")
    port = free_port()
    settings = [f"--ssl-cert={folder}/server.pem", f"--ssl-key={folder}/server.key", f"--ssl-ca={folder}/ca.pem"]
    server = [ROOT / "tests/servers/mysql", folder / "mysql", str(port), *settings]
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    connect = lambda: pymysql.connect(
        host="localhost", port=port, user="admin", password="admin", database="live", ssl=context,
        init_command="SET time_zone = '+00:00'",
    )

    def prepare():
        with retried(connect, pymysql.OperationalError) as connection:
            cursor = connection.cursor()
            cursor.execute(f"CREATE USER writer@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE X509")
            cursor.execute("GRANT ALL ON live.* TO writer@'%'")

    check_database(folder, "mysql", server, port, prepare, connect)


def retried(connect, error):
    """Connects. A server that has just started may not answer yet: then `until` tries again."""
    try:
        return connect()
    except error as failed:
        raise OSError(failed) from failed


for name, test in sorted(vars(sys.modules[__name__]).items()):
    if name.startswith("test_"):
        with tempfile.TemporaryDirectory(prefix="livehook-sinks-") as scratch:
            test(Path(scratch))
