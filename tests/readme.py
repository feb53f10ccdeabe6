"""Does what README.md says, with the real binary: its configurations, its first events, its proxies.

    cargo build && python3 tests/readme.py

Needs bash, curl, jq, md5sum, openssl, node, nginx and caddy, and Linux, where the whole of 127.0.0.0/8 is this machine: that gives a
client an address that differs from the proxy's. Ports and paths of the README are replaced by free ones, the rest runs as
written.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / "target" / "debug"
LIVEHOOK = BINARIES / "livehook"
README = (ROOT / "README.md").read_text()
KEY = "readme0123456789readme0123456789"
TOKEN = "readme-token-0123456789"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("LIVEHOOK_")},
    "PATH": f"{BINARIES}:{os.environ['PATH']}:/usr/sbin",
}


def section(title):
    """The text below a heading, up to the next of its level."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S).group(1)


def blocks(language, text=README):
    """The fenced blocks of a language, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"README.md has no block of {language} where one is expected"
    return found


def replace(text, old, new):
    """Like str.replace, but what is to be replaced must be there."""
    assert old in text, f"the README's block no longer has {old!r}; adapt this test:\n{text}"
    return text.replace(old, new)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(what, ready, process, timeout_secs=20):
    """Waits until `ready` returns true; a process that ends before has failed."""
    end = time.monotonic() + timeout_secs
    while time.monotonic() < end:
        assert process.poll() is None, f"{what}: the process ended with {process.returncode}"
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {timeout_secs} s")


def accepts(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def running(what, command, port, folder, **options):
    """Runs a server until the end of the block; what it says is shown when something fails."""
    log = folder / f"{what}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
        try:
            until(what, lambda: accepts(port), process)
            yield process
        except BaseException:
            print(f"--- {what} said:\n{log.read_text()}---", file=sys.stderr)
            raise
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def livehook(*arguments, folder, **options):
    """Runs a command of livehook and returns its stdout."""
    done = subprocess.run(
        [LIVEHOOK, *arguments], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True, **options
    )
    return done.stdout


def events(folder):
    """What is stored, oldest first."""
    lines = livehook("events", "--data-dir", "livehook-data", "--output", "json", folder=folder).splitlines()
    return [json.loads(line) for line in lines]


def make_secret(folder):
    script = next(block for block in blocks("sh", section("Sinks")) if "keygen --webhook" in block)
    subprocess.run(["bash", "-euc", script], cwd=folder, env=ENVIRONMENT, check=True)


def test_every_configuration_is_valid(folder):
    make_secret(folder)
    for number, block in enumerate(blocks("toml")):
        config = folder / f"{number}.toml"
        config.write_text(block)
        subprocess.run(
            [LIVEHOOK, "check-config", "--config", config],
            env={**ENVIRONMENT, "LIVEHOOK_KEYS": KEY, "LIVEHOOK_ADMIN_TOKEN": TOKEN}, cwd=folder, check=True,
            stdout=subprocess.DEVNULL,
        )


def test_the_first_events_arrive(folder):
    port, admin_port = free_port(), free_port()
    command = [LIVEHOOK, "serve", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    command += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    scripts = blocks("sh", section("Five minutes to the first event"))
    streams = []
    with running("livehook", command, port, folder):
        for script in scripts:
            script = script.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("$PWD/target/release", str(BINARIES))
            script = script.replace("livehook send", f"livehook send --url http://127.0.0.1:{port}/callback")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=ENVIRONMENT, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )
            assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}"
            if "curl" in script:
                assert "HTTP/1.1 200 OK" in done.stdout, f"{script}\ngave:\n{done.stdout}"
            streams = [event["subject"] for event in events(folder)]
    assert streams == ["demo", "demo", "test_stream"], streams


def check_a_receiver(name, command, source, folder):
    """Runs a receiver and livehook as they stand; only what livehook signed is taken."""
    port, receiver_port, admin_port = free_port(), free_port(), free_port()
    make_secret(folder)
    (folder / name).write_text(replace(source, "8000", str(port)))
    config = next(block for block in blocks("toml", section("Sinks")) if 'type = "http"' in block)
    (folder / "config.toml").write_text(replace(config, ":8000/", f":{port}/"))
    serve = [LIVEHOOK, "serve", "--config", "config.toml", "--key", "test", "--listen", f"127.0.0.1:{receiver_port}"]
    serve += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    send = ["send", "--key", "test", "--url", f"http://127.0.0.1:{receiver_port}/callback", "--stream", "demo"]
    with running(name, [command, name], port, folder) as receiver, running("livehook", serve, receiver_port, folder):
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        livehook(*send, folder=folder)
        said = folder / f"{name}.log"
        until("the event arrives", lambda: "tencent.css.push demo" in said.read_text(), receiver)
        event = events(folder)[0]
        assert f'{event["id"]} tencent.css.push demo' in said.read_text()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            forged = {"webhook-id": event["id"], "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,x"}
            for headers in (forged, {}):
                connection.request("POST", "/events", json.dumps(event), headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 401, f"{name} takes what livehook did not sign"
        assert said.read_text().count("tencent.css.push") == 1


def test_the_receiver_in_python(folder):
    check_a_receiver("receiver.py", sys.executable, blocks("python", section("Sinks"))[0], folder)


def test_the_receiver_in_node(folder):
    check_a_receiver("receiver.js", "node", blocks("js", section("Sinks"))[0], folder)


def test_the_programs_of_the_command_sink(folder):
    port, admin_port = free_port(), free_port()
    programs = [block for block in blocks("python", section("Sinks")) if "sys.stdin" in block]
    configs = [block for block in blocks("toml", section("Sinks")) if 'type = "command"' in block]
    for name, program in zip(("notify.py", "notify_lines.py"), programs, strict=True):
        (folder / name).write_text(program)
    (folder / "config.toml").write_text("".join(configs))
    serve = [LIVEHOOK, "serve", "--config", "config.toml", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    serve += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    with running("livehook", serve, port, folder) as process:
        livehook("check-config", "--config", "config.toml", "--key", "test", "--probe", folder=folder)
        send = ["send", "--key", "test", "--url", f"http://127.0.0.1:{port}/callback", "--event", "stop"]
        livehook(*send, "--stream", "demo", folder=folder)
        log = folder / "livehook.log"
        for said in ("demo stopped:", "tencent.css.stop demo"):
            until(said, lambda: said in log.read_text(), process)
        assert "the sink fails" not in log.read_text()


def test_a_backup_can_be_served(folder):
    port, admin_port = free_port(), free_port()
    command = [LIVEHOOK, "serve", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    command += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    send = ["send", "--key", "test", "--url", f"http://127.0.0.1:{port}/callback", "--stream"]
    with running("livehook", command, port, folder):
        livehook(*send, "before", folder=folder)
        script = next(block for block in blocks("sh", section("Operations")) if "livehook backup" in block)
        subprocess.run(["bash", "-euc", script], cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
        livehook(*send, "after", folder=folder)
    (folder / "livehook-data").rename(folder / "away")
    (folder / "backup").rename(folder / "livehook-data")
    with running("livehook-restored", command, port, folder):
        livehook(*send, "restored", folder=folder)
        assert [event["subject"] for event in events(folder)] == ["before", "restored"]


def is_indexed(admin_port):
    """Whether the index has every event: it is a moment behind the answer to a callback."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", admin_port, timeout=10)) as connection:
        connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
        readiness = json.loads(connection.getresponse().read())
        return readiness["index"]["cursor"] == readiness["journal"]["head"]


def form(value):
    """An example or an answer, less what is another each time: moments, ids and large numbers."""
    if isinstance(value, dict):
        return {name: form(member) for name, member in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value]
    is_made_up = isinstance(value, str) and re.fullmatch(r"[0-9TZ:.-]{10,}|[0-9a-f-]{20,}", value)
    return "..." if is_made_up or (isinstance(value, int) and value > 1000) else value


def check_the_feed(script, shown, folder):
    """The feed, which has no end, begins as shown; of what ends with `...`, as far as that goes."""
    shown = shown.splitlines()
    with subprocess.Popen(["bash", "-c", f"exec {script}"], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as curl:
        told = [curl.stdout.readline().rstrip("\n") for _ in shown]
        curl.terminate()
    for line, expected in zip(told, shown):
        line, expected = (re.sub(r"[0-9a-f]{4,}|\d+", "#", text) for text in (line, expected.removesuffix("...")))
        assert line.startswith(expected), f"{line}\nin place of\n{expected}"


def test_the_api_answers_as_shown(folder):
    port, admin_port = free_port(), free_port()
    command = ["env", f"LIVEHOOK_ADMIN_TOKEN={TOKEN}", LIVEHOOK, "serve", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    command += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    text = section("API").split("### From outside")[0]
    examples = re.findall(r"^```sh\n((?:(?!```).*\n)+)```\n\n```json\n((?:(?!```).*\n)+)```$", text, re.M)
    feed, shown_feed = re.search(r"^```sh\n(curl -N .*\n)```\n\n```text\n((?:(?!```).*\n)+)```$", text, re.M).groups()
    assert len(examples) + 1 == len(blocks("sh", text)) > 4, "every call is shown with its answer"
    with running("livehook", command, port, folder) as process:
        for script, shown in examples:
            for arguments in re.findall(r"^livehook (send.*)$", script, re.M):
                # One of them is refused: the answer that is shown tells.
                url = ["--url", f"http://127.0.0.1:{port}/callback"]
                subprocess.run([LIVEHOOK, *arguments.split(), *url], env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=False)
            until("the index has all", lambda: is_indexed(admin_port), process)
            script = re.sub(r"^livehook send.*\n", "", script, flags=re.M)
            script = replace(script, "127.0.0.1:9090", f"127.0.0.1:{admin_port}")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**ENVIRONMENT, "LIVEHOOK_ADMIN_TOKEN": TOKEN},
                text=True, stdout=subprocess.PIPE, check=False,
            )
            assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}"
            assert form(json.loads(done.stdout)) == form(json.loads(shown)), f"{script}\ngave:\n{done.stdout}"
        check_the_feed(replace(feed, "127.0.0.1:9090", f"127.0.0.1:{admin_port}"), shown_feed, folder)


def as_shown(text):
    """What a command writes, less what is another each time or cannot be seen in a README: moments, spaces at line ends."""
    return re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "MOMENT", re.sub(r"\s+$", "", text, flags=re.M))


def test_the_questions_are_answered_as_shown(folder):
    port = free_port()
    command = [LIVEHOOK, "serve", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    command += ["--admin-listen", f"127.0.0.1:{free_port()}"]
    text = section("Who is live, and why it stopped")
    examples = re.findall(r"^```sh\n(.*?)^```\n(?:\n```(?:text|json|csv)\n(.*?)^```$)?", text, re.M | re.S)
    assert len(examples) > 6 and [shown == "" for _, shown in examples[:2]] == [True, False], "the first one sends, the others ask"

    def ask_all():
        for script, shown in examples:
            if shown:
                done = run(script)
                assert as_shown(done.stdout) == as_shown(shown), f"{script}\ngave:\n{done.stdout}"
                assert not done.stderr, f"{script}\nsaid:\n{done.stderr}"

    def run(script):
        script = script.replace("livehook send", f"livehook send --url http://127.0.0.1:{port}/callback")
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, text=True, check=True, capture_output=True,
            env={**ENVIRONMENT, "LIVEHOOK_DATA_DIR": str(folder / "livehook-data")},
        )

    with running("livehook", command, port, folder):
        run(examples[0][0])
        ask_all()
    ask_all()
    run("livehook sessions --rebuild")
    ask_all()


def test_every_metric_is_in_the_table(folder):
    port, admin_port = free_port(), free_port()
    command = [LIVEHOOK, "serve", "--key", "test", "--listen", f"127.0.0.1:{port}"]
    command += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    shown = set(re.findall(r"`(livehook_\w+)[`{]", section("Operations")))

    def difference():
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", admin_port, timeout=10)) as connection:
            connection.request("GET", "/metrics")
            metrics = connection.getresponse().read().decode()
        suffixes = {"counter": "_total", "info": "_info"}
        types = re.findall(r"^# TYPE (\w+) (\w+)$", metrics, re.M)
        return shown ^ {name + suffixes.get(kind, "") for name, kind in types}

    with running("livehook", command, port, folder) as process:
        livehook("send", "--key", "test", "--url", f"http://127.0.0.1:{port}/callback", folder=folder)
        # Those with labels are there from their first value on.
        with contextlib.suppress(AssertionError):
            until("deliveries are counted", lambda: not difference(), process)
        assert not difference(), f"either in the README's table or on /metrics: {difference()}"


def post(port, client, tls, **headers):
    """Posts a fresh callback from a client's address; the status and the body's `error`."""
    body = livehook("sign", "--key", KEY, folder=ROOT, input='{"event_type":1,"app":"push.example.com","stream_id":"s"}')
    options = {"source_address": (client, 0), "timeout": 10}
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, **options)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, **options)
    with contextlib.closing(connection):
        connection.request("POST", "/callback", body, {"Host": "hooks.example.com", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error")


def check_a_proxy(name, command, port, tls, receiver_port, folder):
    """The receiver allows 127.0.0.2 alone, and nothing but the proxy's header tells it who a client is."""
    config = replace(blocks("toml", section("Behind a proxy"))[0], "127.0.0.1:8080", f"127.0.0.1:{receiver_port}")
    config += f'keys = ["{KEY}"]\nallowed_addresses = ["127.0.0.2"]\n'
    config += f'[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
    (folder / "config.toml").write_text(config)
    serve = [LIVEHOOK, "serve", "--config", "config.toml"]
    refused = (403, "address_not_allowed")
    with running("livehook", serve, receiver_port, folder), running(name, command, port, folder):
        for _ in range(3):
            assert post(port, "127.0.0.2", tls) == (200, None), "the allowed client"
        assert post(port, "127.0.0.3", tls) == refused, "another client"
        forged = {"X-Forwarded-For": "127.0.0.2"}
        assert post(port, "127.0.0.3", tls, **forged) == refused, "another client that claims to be the allowed one"
        assert post(receiver_port, "127.0.0.3", False, **forged) == refused, "a header from no trusted proxy"


def check_an_admin_proxy(name, command, port, tls, livehook_ports, folder):
    """Whoever has the token reads through the proxy, also of a stream whose path a proxy might tidy; nobody else does."""
    receiver_port, admin_port = livehook_ports
    # Any address that is not the loopback's will do in place of the README's.
    serve = ["env", f"LIVEHOOK_ADMIN_TOKEN={TOKEN}", LIVEHOOK, "serve", "--key", KEY]
    serve += ["--listen", f"127.0.0.1:{receiver_port}", "--admin-listen", f"0.0.0.0:{admin_port}"]
    callback = '{"event_type":1,"app":"push.example.com","stream_id":"a/b","sequence":"1","event_time":1777636800}'
    with running("livehook", serve, receiver_port, folder) as process, running(name, command, port, folder):
        body = livehook("sign", "--key", KEY, folder=ROOT, input=callback)
        scheme = "https" if tls else "http"
        curl = ["curl", "-sk", "--resolve", f"livehook.example.com:{port}:127.0.0.1", "--path-as-is"]
        url = f"{scheme}://livehook.example.com:{port}/api/v1/"
        callback_url = f"http://127.0.0.1:{receiver_port}/callback"
        subprocess.run([*curl, "--data", body, callback_url], check=True, stdout=subprocess.DEVNULL)
        until("the index has it", lambda: is_indexed(admin_port), process)

        def ask(path, *options):
            done = subprocess.run([*curl, *options, url + path], check=True, text=True, stdout=subprocess.PIPE)
            return json.loads(done.stdout)

        assert ask("streams").get("status") == 401, "without a token"
        bearer = ["-H", f"Authorization: Bearer {TOKEN}"]
        assert ask("streams/push.example.com//a%2Fb", *bearer)["stream"] == "a/b"
        assert ask("events", *bearer)["items"][0]["subject"] == "a/b"


def nginx(block, names, folder):
    """The command of an nginx with a certificate and a block of the README's, whose `names` (old, new) are replaced."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hooks.example.com",
         "-keyout", "hook.key", "-out", "hook.pem"], cwd=folder, check=True, stderr=subprocess.DEVNULL,
    )
    for old, new in names:
        block = replace(block, old, new)
    block, count = re.subn(r"/etc/ssl/\w+\.example\.com\.(pem|key)", rf"{folder}/hook.\1", block)
    assert count == 2, block
    paths = "".join(f"{use}_temp_path {folder}/{use};\n" for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{block}}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def caddy(block, names, folder):
    """The command of a caddy without TLS, for which it would ask an authority for a certificate of a name not ours."""
    for old, new in names:
        block = replace(block, old, new)
    (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + block)
    return ["env", f"HOME={folder}", "caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"]


def test_nginx(folder):
    receiver_port, port = free_port(), free_port()
    names = [("127.0.0.1:8080", f"127.0.0.1:{receiver_port}"), ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")]
    command = nginx(blocks("nginx", section("Behind a proxy"))[0], names, folder)
    check_a_proxy("nginx", command, port, True, receiver_port, folder)


def test_caddy(folder):
    receiver_port, port = free_port(), free_port()
    names = [("127.0.0.1:8080", f"127.0.0.1:{receiver_port}")]
    names += [("hooks.example.com {", f"http://hooks.example.com:{port} {{\n    bind 127.0.0.1")]
    command = caddy(blocks("caddyfile", section("Behind a proxy"))[0], names, folder)
    check_a_proxy("caddy", command, port, False, receiver_port, folder)


def test_nginx_before_the_admin_endpoint(folder):
    receiver_port, admin_port, port = free_port(), free_port(), free_port()
    names = [("10.0.0.5:9090", f"127.0.0.1:{admin_port}"), ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")]
    command = nginx(blocks("nginx", section("API"))[0], names, folder)
    check_an_admin_proxy("nginx", command, port, True, (receiver_port, admin_port), folder)


def test_caddy_before_the_admin_endpoint(folder):
    receiver_port, admin_port, port = free_port(), free_port(), free_port()
    names = [("10.0.0.5:9090", f"127.0.0.1:{admin_port}")]
    names += [("livehook.example.com {", f"http://livehook.example.com:{port} {{\n    bind 127.0.0.1")]
    command = caddy(blocks("caddyfile", section("API"))[0], names, folder)
    check_an_admin_proxy("caddy", command, port, False, (receiver_port, admin_port), folder)


def main():
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="livehook-readme-") as folder:
            test(Path(folder))
        print(f"ok: {test.__name__}")


main()
