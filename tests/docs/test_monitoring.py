"""examples/prometheus and examples/grafana, with the real Prometheus: every alert fires when it should, and every query names what
livehook shows."""

import contextlib
import json
import re
import subprocess
import urllib.parse
import urllib.request

import yaml

from documents import ROOT, replace, section_text
from programs import ENVIRONMENT, free_port, running, until
from service import TOKEN, Service, make_certificate

PROMETHEUS = ROOT / "examples/prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "examples/grafana/livehook.json").read_text())
OPERATIONS = "docs/operations.md"


def promtool(*arguments):
    done = subprocess.run(
        ["promtool", *map(str, arguments)], env=ENVIRONMENT, check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def check_names(query, metrics):
    """Each metric of a query exists, and each value that the query asks for, apart from names that operators choose."""
    families = set(re.findall(r"^# TYPE (\w+) \w+$", metrics, re.M)) | {"up"}
    for name, _, matchers in re.findall(r"\b((?:livehook|process)_\w+|up)\b(\{([^}]*)\})?", query):
        assert name in families or re.sub(r"_(bucket|sum|count)$", "", name) in families, f"there is no metric {name}"
        for label, values in re.findall(r'(\w+)=~?"([^"$]*)"', matchers):
            for value in values.split("|") if label not in ("job", "instance", "sink") else ():
                assert f'{label}="{value}"' in metrics, f"{name} has no {label} {value}"


def test_every_alert_fires_when_it_should(folder):
    promtool("check", "rules", PROMETHEUS / "rules.yml")
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    # The texts would have to stand in each test, too.
    rules = [{key: value for key, value in rule.items() if key != "annotations"} for rule in RULES]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "livehook", "rules": rules}]}))
    tests = yaml.safe_load((ROOT / "tests/prometheus/rules-test.yml").read_text())
    (folder / "rules-test.yml").write_text(yaml.safe_dump({**tests, "rule_files": ["rules.yml"]}))
    promtool("test", "rules", folder / "rules-test.yml")
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    for fires in (True, False):
        tested = {case["alertname"] for case in cases if bool(case["exp_alerts"]) == fires}
        missing = {rule["alert"] for rule in RULES} - tested
        assert not missing, f"no test has {missing} {'fire' if fires else 'silent'}"


def test_every_alert_has_a_runbook():
    headings = re.findall(r"^### (.+)$", section_text(OPERATIONS, "Alerts"), re.M)
    assert headings == [rule["alert"] for rule in RULES], "the sections are those of the alerts, in their order"
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"{OPERATIONS}#{rule['alert'].lower()}", rule
        assert rule["annotations"]["summary"] and rule["annotations"]["description"] and rule["for"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule


def test_every_alert_names_what_livehook_shows(folder):
    make_certificate(folder)
    service = Service(folder, '[receiver]\ntls = { cert_file = "fullchain.pem", key_file = "privkey.pem" }\n')
    with service.running():
        metrics = service.get("/metrics")[1]
    for rule in RULES:
        check_names(rule["expr"], metrics)


def api(port, path, **parameters):
    """An answer of Prometheus."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


@contextlib.contextmanager
def prometheus(service):
    """A Prometheus with the examples' configuration and rules, which scrapes a service every second. Returns its port."""
    folder, port = service.folder, free_port()
    config = (PROMETHEUS / "prometheus.yml").read_text()
    (folder / "token").write_text(TOKEN)
    for old, new in [
        ("10.0.0.5:9090", f"127.0.0.1:{service.admin}"), ("interval: 15s", "interval: 1s"),
        ("/etc/prometheus/livehook-admin-token", str(folder / "token")),
    ]:
        config = replace(config, old, new)
    (folder / "prometheus.yml").write_text(config)
    (folder / "rules.yml").write_text((PROMETHEUS / "rules.yml").read_text())
    command = [
        "prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder}/prometheus", "--log.level=warn",
    ]
    with running("prometheus", command, port, folder):
        until("Prometheus is ready", lambda: api(port, "targets")["activeTargets"])
        yield port


def queries():
    """Each query of the dashboard with the title of its panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def test_every_query_of_the_dashboard_has_a_result(folder):
    """The queries run against a service that has stored, refused and delivered events, and has given one up."""
    sink = '[[sinks]]\nname = "archive"\ntype = "command"\nprogram = "sh"\narguments = ["-c", "! grep -q refused || exit 65"]\n'
    service = Service(folder, sink)
    assert len(list(queries())) > 30
    # An empty answer says that all is well.
    may_be_empty = {"Starts"}
    with service.running(), prometheus(service) as port:
        metrics = service.get("/metrics")[1]
        until("the first scrape", lambda: api(port, "query", query="livehook_ready")["result"])
        service.send("--event", "pair", "--stream", "a", "--count", "3")
        service.send("--stream", "refused")
        assert subprocess.run(
            ["curl", "-s", "-d", '{"event_type":1,"t":1,"sign":"0"}', service.url], check=True, stdout=subprocess.PIPE
        ).stdout
        until("the next scrapes", lambda: api(port, "query", query="livehook_dead_letters > 0")["result"])
        values = {"$job": "livehook", "$instance": ".+", "$__rate_interval": "1m", "[24h]": "[1h]"}

        def empty():
            result = []
            for title, query in queries():
                for name, value in values.items():
                    query = query.replace(name, value)
                check_names(query, metrics)
                assert "$" not in query, f"{title} uses an unknown variable: {query}"
                if not api(port, "query", query=query)["result"] and title not in may_be_empty:
                    result.append((title, query))
            return result

        with contextlib.suppress(AssertionError):
            until("every query has a result", lambda: not empty(), timeout_secs=10)
        assert not empty(), empty()
        # The rules run in the same Prometheus. A dead letter must stay for a minute before its alert fires.
        def rules():
            return {rule["name"]: rule for group in api(port, "rules")["groups"] for rule in group["rules"]}

        until("the alert is pending", lambda: rules()["LivehookDeadLetters"]["state"] == "pending")
        assert set(rules()) == {rule["alert"] for rule in RULES}
        assert {rule["health"] for rule in rules().values()} == {"ok"}, rules()
        assert not [rule for rule in rules().values() if rule["state"] == "firing"], rules()


def test_the_dashboard_can_be_imported():
    """Its form, and that it asks which data source to use."""
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["title"] == "livehook" and "id" not in DASHBOARD and "uid" not in DASHBOARD
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"] and variables["datasource"]["query"] == "prometheus"
    sources = re.findall(r'"uid": "([^"]+)"', json.dumps(DASHBOARD))
    assert len(sources) > 30 and set(sources) == {"${datasource}"}
    places = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & places, f"{panel['title']} covers another panel"
        places |= cells
        if panel["type"] != "row":
            assert panel["description"] and panel["datasource"] and panel["targets"], panel["title"]
            assert all(target["legendFormat"] and target["refId"] for target in panel["targets"])
