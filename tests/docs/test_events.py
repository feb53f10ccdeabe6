"""The event is what docs/events.md and docs/event.schema.json say."""

import json

from jsonschema import Draft202012Validator

from documents import ROOT, block, section_text, table
from service import Service, script

EVENTS = "docs/events.md"
SCHEMA = json.loads((ROOT / "docs/event.schema.json").read_text())


def closed(node):
    """A schema that allows no member that it doesn't name."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {name: closed(value) for name, value in node.items()}
    if "properties" in node and node.get("type") == "object":
        result["additionalProperties"] = False
    return result


def faults(schema, event):
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(event)]


def sent(folder):
    """The events of all fixtures and of a hostile callback, and the service's own schema of an event."""
    service = Service(folder)
    with service.running():
        fixtures = sorted((ROOT / "tests/fixtures").glob("*.json"))
        for fixture in fixtures:
            service.send(str(fixture))
        (folder / "hostile.json").write_text('{"event_type":"778","app":"a/b?#\\u0000","stream_id":"\\u2028","event_time":"x"}')
        service.send("hostile.json")
        service.send("--event", "push", "--stream", "lost")
        service.wait_for_index()
        id = json.loads(service.get("/api/v1/sessions?stream=lost")[1])["items"][0]["id"]
        service.script(f"livehook sessions end {id} --why 'no picture'")
        events = service.events()
        assert len(events) == len(fixtures) + 3 and events[-1]["type"] == "livehook.session.ended"
        return events, json.loads(service.get("/api/v1/openapi.json")[1])["components"]["schemas"]["Event"]


def test_every_event_is_as_the_schema_says(folder):
    Draft202012Validator.check_schema(SCHEMA)
    events, described = sent(folder)
    envelope = SCHEMA["$defs"]["envelope"]
    assert set(envelope["properties"]) == set(described["properties"]), "the API describes other members"
    assert set(envelope["required"]) == set(described["required"]), "the API requires other members"

    whole = {**SCHEMA, "$defs": {name: closed(part) for name, part in SCHEMA["$defs"].items()}}
    # `data` has a schema of its own for each type; the envelope names only the member that all have.
    whole["$defs"]["envelope"]["properties"]["data"] = envelope["properties"]["data"]
    for name in {part["then"]["properties"]["data"]["$ref"].rsplit("/", 1)[1] for part in SCHEMA["allOf"][1:]}:
        whole["$defs"][name]["properties"]["event_type"] = {}
    for event in events:
        assert not faults(SCHEMA, event), f"{event['type']}: {faults(SCHEMA, event)}"
        assert not faults(whole, event), f"{event['type']}: a member is missing in the schema: {faults(whole, event)}"


def test_the_schema_refuses_what_is_no_event():
    event = json.loads(block(EVENTS, "Events", "json"))
    for change in (
        {"id": "x"}, {"specversion": "0.3"}, {"type": "tencent.css.other"}, {"partitionkey": "a/b"}, {"source": "a"},
        {"verified": "yes"}, {"receivedtime": "2026-05-01T12:00:00Z"}, {"data": []}, {"data": {}},
        {"data": {"event_type": 1, "sign": "x"}}, {"data": {"event_type": 1, "app": []}}, {"time": "now"},
    ):
        assert faults(SCHEMA, {**event, **change}), f"the schema accepts {change}"
    for name in SCHEMA["$defs"]["envelope"]["required"]:
        assert faults(SCHEMA, {other: value for other, value in event.items() if other != name}), name


def test_every_type_has_a_schema():
    types = [part["if"]["properties"]["type"]["const"] for part in SCHEMA["allOf"][1:]]
    assert types.pop() == "livehook.session.ended", "livehook's own event comes last"
    names = [row[1].strip("`") for row in table(EVENTS, "Types")]
    assert [name.replace("tencent.css.", "").replace("tencent.streamlive.", "streamlive-") for name in types] == names


def test_the_example_is_the_event_of_the_sample(folder):
    shown = json.loads(block(EVENTS, "Events", "json"))
    (folder / "sample.json").write_text(json.dumps(shown["data"]))
    service = Service(folder)
    with service.running():
        service.send("sample.json")
        event = service.events()[0]
    assert list(event) == list(shown), "the members, in their order"
    assert {**event, "receivedtime": ""} == {**shown, "receivedtime": ""}
    output, _ = script(f"python3 {ROOT}/tests/event_id.py", folder)
    assert output.splitlines(True)[0] == block(EVENTS, "The id", "text") == event["id"] + "\n"


def test_every_member_is_in_the_table():
    rows = [row[0].strip("`") for row in table(EVENTS, "Events")]
    assert rows == list(SCHEMA["$defs"]["envelope"]["properties"])
    assert "event.schema.json" in section_text(EVENTS, "Schema")
