"""The first steps of README.md work as written, in every language."""

import re

from documents import DOCUMENTS, block, blocks, examples
from programs import BINARIES
from service import Service
from test_sessions import as_shown
from test_sinks import check_a_receiver

README = "README.md"
TRANSLATIONS = ("README.ko.md", "README.zh-CN.md")


def table(text):
    """A table without the time that has passed, and without the width of its columns, which depends on that time."""
    return re.sub(r" +", " ", re.sub(r" \d+m?s ", " 2s ", as_shown(text)))


def test_the_first_events_arrive(folder):
    two_commands = blocks(README, None, "sh")[0]
    assert [line.split("#")[0].strip() for line in two_commands.text.splitlines()] == [
        # This is how the service below runs, apart from the ports and the profile.
        "cargo run --release -- serve --key test",
        # This is what runs now.
        "tests/run",
    ]
    service = Service(folder)
    with service.running():
        for text, shown in examples(README, "First event"):
            if shown:
                service.wait_for_index()
            output, _ = service.script(text.replace("$PWD/target/release", str(BINARIES)))
            assert "curl" not in text or "HTTP/1.1 200 OK" in output, f"{text} printed:\n{output}"
            assert not shown or table(output).endswith(table(shown)), f"{text} printed:\n{output}"
        streams = [event["subject"] for event in service.events()]
        assert streams == ["demo", "demo"], streams
        assert '"subject":"demo"' in service.log(), "the first terminal shows the event"


def test_the_sink_of_the_readme_delivers(folder):
    """The configuration of README.md, with the receiver that it names."""
    check_a_receiver("receiver.py", block(README, "Send events to your back end", "toml"), folder)


def test_translations_have_the_same_commands():
    def commands(path):
        """The language and the lines of each block, without comments at their ends."""
        return [
            (each.language, [line.split("  # ")[0].rstrip() for line in each.text.splitlines()])
            for each in DOCUMENTS[path]
        ]

    expected = commands(README)
    for path in TRANSLATIONS:
        assert commands(path) == expected, f"the blocks of {path} differ from those of {README}"
        for each in DOCUMENTS[path]:
            each.is_used = True
