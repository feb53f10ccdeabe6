"""docs/api.md: every call returns what the page shows, and the tables are complete."""

import json
import re
import subprocess

from documents import block, examples, table
from programs import ENVIRONMENT
from service import Service

API = "docs/api.md"


def form(value):
    """An example or an answer without what differs each time: moments, ids and large numbers."""
    if isinstance(value, dict):
        return {name: form(member) for name, member in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value]
    is_made_up = isinstance(value, str) and re.fullmatch(r"[0-9TZ:.-]{10,}|[0-9a-f-]{20,}", value)
    return "..." if is_made_up or (isinstance(value, int) and value > 1000) else value


def check_the_feed(text, shown, folder):
    """The feed, which has no end, begins as shown. A line that ends with `...` is compared up to there."""
    shown = shown.splitlines()
    with subprocess.Popen(["bash", "-c", f"exec {text}"], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, env=ENVIRONMENT) as curl:
        received = [curl.stdout.readline().rstrip("\n") for _ in shown]
        curl.terminate()
    for line, expected in zip(received, shown):
        line, expected = (re.sub(r"[0-9a-f]{4,}|\d+", "#", text) for text in (line, expected.removesuffix("...")))
        assert line.startswith(expected), f"{line}\nin place of\n{expected}"


def test_every_call_returns_what_is_shown(folder):
    service = Service(folder)
    calls = examples(API, None)
    assert len(calls) > 6 and all(shown for _, shown in calls), "every call is shown with its answer"
    with service.running():
        for text, shown in calls:
            # One of the callbacks is refused on purpose. The index follows the callbacks, before the query.
            sends = "".join(re.findall(r"^livehook send.*\n", text, re.M))
            for send in sends.splitlines():
                service.script(send, is_checked="--key wrong" not in send)
            service.wait_for_index()
            text = re.sub(r"^livehook send.*\n", "", text, flags=re.M)
            if text.startswith("curl -N"):
                check_the_feed(text.replace("127.0.0.1:9090", f"127.0.0.1:{service.admin}"), shown, folder)
                continue
            output, _ = service.script(text)
            assert form(json.loads(output)) == form(json.loads(shown)), f"{text}\nreturned:\n{output}"


def test_every_path_and_every_problem_is_in_a_table(folder):
    service = Service(folder)
    with service.running():
        described = json.loads(service.get("/api/v1/openapi.json")[1])
    paths = {
        f"{method.upper()} {path.removeprefix('/api/v1/')}" for path, item in described["paths"].items() for method in item
    }
    shown = {path for row in table(API, "API") for path in re.findall(r"`((?:GET|POST) [^`]+)`", row[0])}
    assert shown == paths, shown ^ paths
    words = set(described["components"]["schemas"]["ProblemWord"]["enum"]) - {"malformed"}
    shown = {re.search(r"`(\w+)`", row[0])[1] for row in table(API, "Problems")}
    assert shown == words, shown ^ words
    assert block(API, "Feed", "text").startswith("retry: ")
