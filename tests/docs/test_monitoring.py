"""examples/prometheus and examples/grafana, with the real Prometheus: every alert fires when it should, and every query names what
livehook shows."""

import re
import subprocess

import yaml

from documents import ROOT, section_text
from programs import ENVIRONMENT
from service import Service

PROMETHEUS = ROOT / "examples/prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
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
    service = Service(folder)
    with service.running():
        metrics = service.get("/metrics")[1]
    for rule in RULES:
        check_names(rule["expr"], metrics)
