"""docs/deployment.md and the proxies of the examples, with the real nginx and Caddy."""

import contextlib
import http.client
import json
import re
import ssl
import subprocess
import urllib.error
import urllib.request

import yaml

from documents import ROOT, block, replace
from programs import ENVIRONMENT, free_port, livehook, running, until
from service import KEY, TOKEN, Service, make_certificate, script

DEPLOYMENT = "docs/deployment.md"
EXAMPLES = ROOT / "examples"


def post(port, client, tls, **headers):
    """Posts a fresh callback from a client's address; returns the status and the body's `error`."""
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


def status_of(port, tls, path):
    scheme = "https" if tls else "http"
    curl = ["curl", "-sko", "/dev/null", "-w", "%{http_code}", "--resolve", f"hooks.example.com:{port}:127.0.0.1"]
    done = subprocess.run([*curl, f"{scheme}://hooks.example.com:{port}{path}"], check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout


def check_a_proxy(name, command, port, tls, receiver_port, folder):
    """The receiver allows 127.0.0.2 alone, and only the proxy's header says who a client is."""
    config = replace(block(DEPLOYMENT, "Behind a proxy", "toml", "::1"), "127.0.0.1:8080", f"127.0.0.1:{receiver_port}")
    config += f'keys = ["{KEY}"]\nallowed_addresses = ["127.0.0.2"]\n'
    config += f'[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
    (folder / "config.toml").write_text(config)
    serve = ["livehook", "serve", "--config", "config.toml"]
    refused = (403, "address_not_allowed")
    with running("livehook", serve, receiver_port, folder), running(name, command, port, folder):
        for _ in range(3):
            assert post(port, "127.0.0.2", tls) == (200, None), "the allowed client"
        assert post(port, "127.0.0.3", tls) == refused, "another client"
        forged = {"X-Forwarded-For": "127.0.0.2"}
        assert post(port, "127.0.0.3", tls, **forged) == refused, "another client that claims to be the allowed one"
        assert post(receiver_port, "127.0.0.3", False, **forged) == refused, "a header from no trusted proxy"
        assert status_of(port, tls, "/other") == "404", "only the callback path is passed on"


def check_an_admin_proxy(name, command, port, tls, service):
    """With the token you read through the proxy, also a stream whose path a proxy might change; without it you don't."""
    callback = '{"event_type":1,"app":"push.example.com","stream_id":"a/b","sequence":"1","event_time":1777636800}'
    with service.running(), running(name, command, port, service.folder):
        (service.folder / "callback.json").write_text(callback)
        service.send("callback.json")
        service.wait_for_index()
        scheme = "https" if tls else "http"
        curl = ["curl", "-sk", "--resolve", f"livehook.example.com:{port}:127.0.0.1", "--path-as-is"]
        url = f"{scheme}://livehook.example.com:{port}/api/v1/"

        def ask(path, *options):
            done = subprocess.run([*curl, *options, url + path], check=True, text=True, stdout=subprocess.PIPE)
            return json.loads(done.stdout)

        assert ask("streams").get("status") == 401, "without a token"
        bearer = ["-H", f"Authorization: Bearer {TOKEN}"]
        assert ask("streams/push.example.com//a%2Fb", *bearer)["stream"] == "a/b"
        assert ask("events", *bearer)["items"][0]["subject"] == "a/b"

        text = block(DEPLOYMENT, "Reach the admin endpoint from elsewhere", "sh", "curl")
        text = replace(text, "curl -s", f"curl -sk --resolve livehook.example.com:{port}:127.0.0.1")
        text = replace(text, "https://livehook.example.com", f"{scheme}://livehook.example.com:{port}")
        output, _ = script(text, service.folder, {"LIVEHOOK_ADMIN_TOKEN": TOKEN})
        assert "items" in json.loads(output), output


def nginx(name, changes, folder):
    """The command of an nginx with a certificate and one of the examples, in which `changes` (old, new) are made."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hooks.example.com",
         "-keyout", "hook.key", "-out", "hook.pem"], cwd=folder, check=True, stderr=subprocess.DEVNULL,
    )
    text = (EXAMPLES / name).read_text()
    for old, new in changes:
        text = replace(text, old, new)
    text, count = re.subn(r"/etc/ssl/\w+\.example\.com\.(pem|key)", rf"{folder}/hook.\1", text)
    assert count == 2, text
    paths = "".join(f"{use}_temp_path {folder}/{use};\n" for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def caddy(name, changes, folder):
    """The command of a caddy without TLS: it would ask an authority for a certificate of a name that isn't ours."""
    text = (EXAMPLES / name).read_text()
    for old, new in changes:
        text = replace(text, old, new)
    (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + text)
    return ["env", f"HOME={folder}", "caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"]


def test_nginx(folder):
    receiver_port, port = free_port(), free_port()
    changes = [("127.0.0.1:8080;", f"127.0.0.1:{receiver_port};"), ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")]
    check_a_proxy("nginx", nginx("nginx.conf", changes, folder), port, True, receiver_port, folder)


def test_caddy(folder):
    receiver_port, port = free_port(), free_port()
    changes = [("UPSTREAM:127.0.0.1:8080", f"UPSTREAM:127.0.0.1:{receiver_port}")]
    changes += [("{$LIVEHOOK_HOST:hooks.example.com} {", f"http://hooks.example.com:{port} {{\n    bind 127.0.0.1")]
    check_a_proxy("caddy", caddy("Caddyfile", changes, folder), port, False, receiver_port, folder)


def test_https_without_a_proxy(folder):
    section, port, admin = "HTTPS without a proxy", free_port(), free_port()
    (folder / "renewed").mkdir()
    (folder / "etc").mkdir()
    make_certificate(folder / "renewed")
    hook = replace(block(DEPLOYMENT, section, "sh", "install"), "-o livehook -g livehook", '-o "$(id -un)" -g "$(id -gn)"')
    script(replace(hook, "/etc/livehook", f"{folder}/etc"), folder, {"RENEWED_LINEAGE": str(folder / "renewed")})
    config = replace(block(DEPLOYMENT, section, "toml", "fullchain"), "[::]:443", f"127.0.0.1:{port}")
    config = replace(config, "/etc/livehook", f"{folder}/etc")
    tls = next(line for line in config.splitlines() if line.startswith("tls"))
    (folder / "config.toml").write_text(f'{config}keys = ["{KEY}"]\n[admin]\nlisten = "127.0.0.1:{admin}"\n{tls}\n')
    with running("livehook", ["livehook", "serve", "--config", "config.toml"], port, folder):
        assert post(port, "127.0.0.1", True) == (200, None)
        check = replace(block(DEPLOYMENT, section, "sh", "--ca"), "127.0.0.1:9090", f"127.0.0.1:{admin}")
        script(replace(check, "/etc/livehook", f"{folder}/etc"), folder)
        script("livehook healthcheck --config config.toml", folder)


def test_nginx_in_front_of_the_admin_endpoint(folder):
    # Any address that isn't a loopback address will do in place of the example's.
    service, port = Service(folder, admin_host="0.0.0.0"), free_port()
    changes = [("10.0.0.5:9090;", f"127.0.0.1:{service.admin};"), ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")]
    check_an_admin_proxy("nginx", nginx("admin-nginx.conf", changes, folder), port, True, service)


def test_caddy_in_front_of_the_admin_endpoint(folder):
    service, port = Service(folder, admin_host="0.0.0.0"), free_port()
    changes = [("proxy 10.0.0.5:9090", f"proxy 127.0.0.1:{service.admin}")]
    changes += [("livehook.example.com {", f"http://livehook.example.com:{port} {{\n    bind 127.0.0.1")]
    check_an_admin_proxy("caddy", caddy("admin-Caddyfile", changes, folder), port, False, service)


def admin_status(port, path):
    """The status and the error word of the admin endpoint."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


def test_the_standby_takes_over_behind_a_proxy(folder):
    """Both proxies pass callbacks on to the one that is active, before and after the first one is killed."""
    command = block(DEPLOYMENT, "A second instance", "sh", "--wait").split()
    (folder / "config.toml").write_text(f'data_dir = "data"\n[receiver]\nkeys = ["{KEY}"]\nhealth_path = "/health"\n')
    with contextlib.ExitStack() as stack:
        ports, processes = [], []
        for number in (1, 2):
            receiver, admin = free_port(), free_port()
            ports.append((receiver, admin))
            environment = {"LIVEHOOK_LISTEN": f"127.0.0.1:{receiver}", "LIVEHOOK_ADMIN_LISTEN": f"127.0.0.1:{admin}"}
            processes.append(stack.enter_context(running(f"livehook-{number}", command, admin, folder, environment)))
            if number == 1:
                until("the first one is active", lambda: admin_status(admin, "/readyz")[0] == 200)
        (first, _), (second, standby_admin) = ports
        assert admin_status(standby_admin, "/livez") == (200, None)
        assert admin_status(standby_admin, "/readyz") == (503, "standby")

        caddy_port, nginx_port = free_port(), free_port()
        changes = [("127.0.0.1:8080 127.0.0.1:8081", f"127.0.0.1:{first} 127.0.0.1:{second}")]
        changes += [("{$LIVEHOOK_HOST:hooks.example.com} {", f"http://hooks.example.com:{caddy_port} {{\n    bind 127.0.0.1")]
        stack.enter_context(running("caddy", caddy("standby-Caddyfile", changes, folder), caddy_port, folder))
        upstreams = block(DEPLOYMENT, "A second instance", "nginx")
        upstreams = replace(replace(upstreams, "127.0.0.1:8080", f"127.0.0.1:{first}"), "127.0.0.1:8081", f"127.0.0.1:{second}")
        changes = [("upstream livehook {\n    server 127.0.0.1:8080;\n    keepalive 32;\n}\n", upstreams)]
        changes += [("listen 443 ssl", f"listen 127.0.0.1:{nginx_port} ssl")]
        stack.enter_context(running("nginx", nginx("nginx.conf", changes, folder), nginx_port, folder))

        def both_pass():
            with contextlib.suppress(json.JSONDecodeError):
                return post(caddy_port, "127.0.0.1", False) == post(nginx_port, "127.0.0.1", True) == (200, None)

        until("Caddy knows that the standby's port is closed", both_pass)
        assert all(both_pass() for _ in range(3))
        processes[0].kill()
        processes[0].wait()
        until("both proxies have found the other one", both_pass)
        assert all(both_pass() for _ in range(3))


def test_the_second_container_fits_the_first():
    """standby.yaml for its form only: no containers are started here."""
    services = yaml.safe_load((EXAMPLES / "standby.yaml").read_text())["services"]
    base = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]
    active, standby = services["livehook"], services["livehook-standby"]
    assert standby["extends"] == {"file": "compose.yaml", "service": "livehook"} and "livehook" in base
    assert active["command"] == standby["command"] == ["serve", "--wait"]
    check = " ".join(active["healthcheck"]["test"][1:])
    assert active["healthcheck"] == standby["healthcheck"] and f"`{check}`" in (ROOT / DEPLOYMENT).read_text()
    assert set(services) - {"livehook-standby"} <= set(base)
    caddyfile, target = services["caddy"]["volumes"][0].removesuffix(":ro").split(":")
    assert (EXAMPLES / caddyfile).exists() and any(f":{target}:" in volume for volume in base["caddy"]["volumes"])
    path = re.search(r"health_uri (\S+)", (EXAMPLES / caddyfile).read_text())[1]
    assert f'health_path = "{path}"\n' in (EXAMPLES / "compose.toml").read_text()
    upstreams = services["caddy"]["environment"]["LIVEHOOK_UPSTREAM"].split()
    port = base["caddy"]["environment"]["LIVEHOOK_UPSTREAM"].split(":")[1]
    assert upstreams == [f"livehook:{port}", f"livehook-standby:{port}"]


def test_the_containers_fit_together():
    """compose.yaml for its form only: no containers are started here."""
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    services = compose["services"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert (EXAMPLES / services["livehook"]["build"] / "Dockerfile").exists()
    mounts = [mount.split(":") for service in services.values() for mount in service["volumes"]]
    for source, *_ in mounts:
        assert source in compose["volumes"] or (EXAMPLES / source).exists(), source
    livehook_mounts = dict(mount.split(":")[:2] for mount in services["livehook"]["volumes"])
    assert livehook_mounts["./compose.toml"] == services["livehook"]["environment"]["LIVEHOOK_CONFIG"]
    assert f"VOLUME {livehook_mounts['data']}\n" in dockerfile
    host, port = services["caddy"]["environment"]["LIVEHOOK_UPSTREAM"].split(":")
    assert host in services and f"EXPOSE {port}\n" in dockerfile
    subnet = compose["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert f'trusted_proxies = ["{subnet}"]' in (EXAMPLES / "compose.toml").read_text()
    caddyfile = (EXAMPLES / "Caddyfile").read_text()
    assert {name for name in services["caddy"]["environment"]} == set(re.findall(r"\{\$(\w+):", caddyfile))
    adapted = subprocess.run(
        ["caddy", "adapt", "--config", EXAMPLES / "Caddyfile"], check=True, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**ENVIRONMENT, "LIVEHOOK_HOST": "a.example.com", "LIVEHOOK_UPSTREAM": f"{host}:{port}"},
    )
    assert '"a.example.com"' in adapted.stdout and f'"{host}:{port}"' in adapted.stdout, "both variables are used"
