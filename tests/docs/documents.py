"""Reads the documents: their sections, their fenced blocks, and which of these a test has used."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PATHS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "examples", "tests/fixtures")
    for path in (ROOT / folder).glob("*.md")
)


class Block:
    """A fenced block: its language, its text, and the headings above it."""

    def __init__(self, path, line, language, text, headings):
        self.path, self.line, self.language, self.text, self.headings = path, line, language, text, headings
        self.is_used = False

    def __str__(self):
        return f"{self.path}:{self.line} ({self.language})"


def read(path):
    """The blocks of a document, in order."""
    blocks, headings, opened = [], [], None
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if opened:
            if line == "```":
                blocks.append(opened)
                opened = None
            else:
                opened.text += line + "\n"
        elif fence := re.fullmatch(r"```(\w+)", line):
            opened = Block(path, number, fence[1], "", tuple(headings))
        elif heading := re.fullmatch(r"(#+) (.+)", line):
            headings = [*headings[: len(heading[1]) - 1], heading[2]]
        else:
            assert not line.lstrip().startswith("```"), f"{path}:{number}: a block starts with ``` and its language"
    assert not opened, f"{opened} has no end"
    return blocks


DOCUMENTS = {path: read(path) for path in PATHS}


def blocks(path, section=None, language=None, containing=""):
    """The blocks of a document, or of one of its sections, which count as used from now on."""
    found = [
        block
        for block in DOCUMENTS[path]
        if (section is None or section in block.headings)
        and (language is None or block.language == language)
        and containing in block.text
    ]
    assert found, f"{path} has no block of {language} with {containing!r} in the section {section}"
    for block in found:
        block.is_used = True
    return found


def unused():
    """The blocks that no test has used."""
    return [str(block) for path in DOCUMENTS for block in DOCUMENTS[path] if not block.is_used]


def block(path, section=None, language=None, containing=""):
    """The text of the one block that is meant."""
    found = blocks(path, section, language, containing)
    assert len(found) == 1, f"several blocks could be meant: {', '.join(map(str, found))}"
    return found[0].text


def examples(path, section):
    """The commands of a section, each with the block that shows its output; that is None if the next block is a command."""
    result = []
    for each in blocks(path, section):
        if each.language == "sh":
            result.append([each.text, None])
        elif each.language in ("text", "json", "csv"):
            assert result and result[-1][1] is None, f"{each} follows no command"
            result[-1][1] = each.text
    return result


def table(path, section):
    """The cells of the first table of a section, without its head."""
    table = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", section_text(path, section), re.M)
    assert table, f"{path} has no table in the section {section}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table[1].splitlines()]


def section_text(path, section):
    """The text below a heading, up to the next heading of its level or above."""
    text = (ROOT / path).read_text()
    heading = re.search(rf"^(#+) {re.escape(section)}\n", text, re.M)
    assert heading, f"{path} has no section {section}"
    rest = text[heading.end():]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.M)
    return rest[: end.start()] if end else rest


def replace(text, old, new):
    """Like str.replace, but `old` must be there."""
    assert old in text, f"the block no longer has {old!r}; adapt this test:\n{text}"
    return text.replace(old, new)
