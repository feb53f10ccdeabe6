"""docs/operations.md: metrics and refusals are complete, and the commands work as written."""

import contextlib
import json
import re

from documents import block, blocks, replace, table
from programs import livehook, until
from service import Service, make_certificate

OPERATIONS = "docs/operations.md"

# A sink that refuses every event for good, so that each becomes a dead letter, until the file `refuse` is removed.
REFUSING = """
[[sinks]]
name = "archive"
type = "command"
program = "sh"
arguments = ["-c", "! test -e refuse || exit 65"]
"""


def test_every_metric_is_in_the_table(folder):
    # The metrics of TLS appear with a listener that speaks it.
    make_certificate(folder)
    service = Service(folder, '[receiver]\ntls = { cert_file = "fullchain.pem", key_file = "privkey.pem" }\n')
    shown = {name for row in table(OPERATIONS, "Metrics") for name in re.findall(r"`((?:livehook|process)_\w+)[`{]", row[0])}

    def difference():
        metrics = service.get("/metrics")[1]
        return shown ^ set(re.findall(r"^# TYPE (\w+) \w+$", metrics, re.M))

    with service.running():
        livehook("send", "--key", "test", "--url", service.url.replace("http", "https"), "--ca", "fullchain.pem", folder=folder)
        # A metric with labels appears with its first value.
        with contextlib.suppress(AssertionError):
            until("deliveries are counted", lambda: not difference(), service.process)
        assert not difference(), f"either in the table or on /metrics: {difference()}"


def test_every_refusal_is_in_the_table(folder):
    service = Service(folder)
    with service.running():
        described = json.loads(service.get("/api/v1/openapi.json")[1])
        script = block(OPERATIONS, "Health", "sh")
        service.script(script)
    listed = [parameter for parameter in described["paths"]["/api/v1/refusals"]["get"]["parameters"] if parameter["name"] == "error"]
    schema = listed[0]["schema"]
    schema = schema.get("items", schema)
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    shown = {word for row in table(OPERATIONS, "Refusals") for word in re.findall(r"`([a-z_]+)`", row[0])}
    assert shown >= set(schema["enum"]), set(schema["enum"]) - shown


# A sink that can't take the events of one stream. It tries again after a minute.
POISONED = """
[[sinks]]
name = "backend"
type = "command"
program = "sh"
arguments = ["-c", "! grep room-7 >/dev/null || ! test -e fail"]
retry = { wait_ms_first = 60000, wait_ms_max = 60000 }
"""


def test_a_person_ends_a_wait_or_gives_up(folder):
    service = Service(folder, POISONED)
    retry = block(OPERATIONS, "Try again, or give up", "sh", "retry")
    skip = block(OPERATIONS, "Try again, or give up", "sh", "skip")
    shown = block(OPERATIONS, "Try again, or give up", "sh", "sinks list")
    (folder / "fail").touch()
    with service.running():
        def sink():
            return json.loads(service.get("/api/v1/sinks")[1])["items"][0]

        def fails_first(event):
            service.send("--count", "3", "--event", event, "--stream", "room-7")
            until("the first one fails", lambda: sink()["failing"], service.process)
            return sink()["failing"]["id"]

        failing = fails_first("push")
        assert failing in service.log(), "the log names the event"
        assert service.script(shown)[0].splitlines()[1].split()[:4] == ["backend", "command", "failing", "3"]
        (folder / "fail").unlink()
        service.script(retry)
        until("all are delivered", lambda: sink()["lag"] == 0, service.process)

        (folder / "fail").touch()
        failing = fails_first("stop")
        _, said = service.script(replace(skip, "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42", failing))
        assert [line.split()[0] for line in said.splitlines()] == ["1", "2"], said
        until("the others are dead letters too", lambda: sink()["dead_letters"] == 3, service.process)
        assert sink()["lag"] == 0 and sink()["failing"] is None


def test_the_commands_for_dead_letters_and_replays_work(folder):
    service = Service(folder, REFUSING)
    (folder / "refuse").touch()
    with service.running():
        service.send("--count", "20", "--event", "stop", "--stream", "room-1")

        def count():
            return json.loads(service.get("/readyz")[1])["sinks"][0]["dead_letters"]

        until("all are dead letters", lambda: count() == 20, service.process)
        output, _ = service.script(block(OPERATIONS, "Dead letters", "sh", "dead-letters list"))
        assert output.count("room-1") > 20 and '"tencent.css.stop"' in output, "20 are listed, and one is shown with its event"
        # The status follows the change by a moment.

        def waiting():
            # A dead letter that waits for its redrive isn't redriven a second time.
            dead_letters = json.loads(service.get("/api/v1/dead-letters?limit=100")[1])["items"]
            return [each for each in dead_letters if each["redriven"]]

        until(
            "one is dropped, and the redriven ones are refused again", lambda: count() == 19 and not waiting(), service.process
        )

        (folder / "refuse").unlink()
        output, _ = service.script(block(OPERATIONS, "Dead letters", "sh", "curl"))
        assert json.loads(output)["count"] == 19, output
        until("all are delivered", lambda: count() == 0, service.process)

        replays = replace(block(OPERATIONS, "Replay", "sh"), "--since 2026-05-01 --until 2026-05-02", "--since 2h")
        output, said = service.script(replays)
        assert output.splitlines()[0] == "20", f"the dry run counts:\n{output}"
        assert said.count("accepted 20 of 20 events") == 2, f"the replays, with and without a filter:\n{said}"
        assert output.count("done") == 2, f"the list:\n{output}"


def test_a_backup_can_be_served(folder):
    service = Service(folder)
    # The recipe for Litestream below has tests of its own.
    copy, tar, restore = blocks(OPERATIONS, "Backup and restore", "sh", "livehook-data")
    with service.running():
        service.send("--stream", "before")
        service.script(copy.text)
        service.script(tar.text)
        service.send("--stream", "after")
    _, said = service.script(restore.text, is_checked=False)
    assert "1 newer record than the backup, 2 to 2; use --force" in said, said
    service.script(restore.text.strip() + " --force")
    with service.running("livehook-restored"):
        service.send("--stream", "restored")
        assert [event["subject"] for event in service.events()] == ["before", "restored"]
    (aside,) = (folder / "livehook-data").glob("before-restore-*")
    assert len(livehook("events", "--data-dir", str(aside), folder=folder).splitlines()) == 3, "a head and both events"
    # The other two are the same backup.
    service.script("cd backup && sha256sum --check SHA256SUMS")
    service.script("gunzip <backup.tar.gz | livehook restore --data-dir elsewhere -")
    assert "before" in livehook("events", "--data-dir", "elsewhere", folder=folder)


def test_an_examination_and_a_repair(folder):
    archive = '[receiver]\nkeys = ["test"]\n[[sinks]]\nname = "archive"\ntype = "file"\npath = "events.jsonl"\n'
    service = Service(folder, archive)
    section = "Examine a service"
    command, probe = block(OPERATIONS, section, "sh", "config.toml\n"), block(OPERATIONS, section, "sh", "--url")
    with service.running():
        service.send("--count", "300")
        until("all are delivered", lambda: len((folder / "events.jsonl").read_text().splitlines()) == 300, service.process)
        # The clock and the disk of this machine may deserve a warning.
        found, _ = service.script(command.strip() + " || test $? = 3")
        shown = block(OPERATIONS, section, "text")
        for area in re.findall(r"^\w+ +([a-z ]+):", shown, re.M):
            assert re.search(rf"^\w+ +{area}:", found, re.M), (area, found)
        # The probe comes from this machine itself, so a warning about its address is right.
        found, _ = service.script(probe.strip() + " || test $? = 3")
        assert re.search(r"^ok +public URL: \S+ reaches livehook, and the\s+key", found, re.M), found
    _, said = service.script(block(OPERATIONS, "A damaged journal", "sh"))
    assert "saved 300 records" in said, said
