"""Holds for every document: each command and each link exists, and a block that is not run has the right form."""

import functools
import re
import subprocess
import tomllib

from documents import DOCUMENTS, ROOT, examples
from programs import LIVEHOOK
from service import Service

# Commands that need Docker, systemd, another machine or a fresh clone. They are checked for their form only.
NOT_RUN = {
    "README.md": ("docker", "git clone"),
    "docs/deployment.md": ("docker", "ssh -N", "kubectl", "apt install", "systemctl", "sudo -u livehook"),
    "CONTRIBUTING.md": ("cargo", "tests/run", ".ci/run"),
}


def test_the_fixtures_can_be_sent(folder):
    service = Service(folder)
    with service.running():
        for text, _ in examples("tests/fixtures/README.md", None):
            service.script(text, folder=ROOT)
        assert len(service.events()) == 1


def test_commands_that_are_not_run_are_commands():
    for path, words in NOT_RUN.items():
        for block in DOCUMENTS[path]:
            if block.language == "sh" and not block.is_used and any(word in block.text for word in words):
                subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
                block.is_used = True


@functools.cache
def options_of(*command):
    """The options in the help of a command, and the names of its subcommands."""
    done = subprocess.run([LIVEHOOK, *command, "--help"], check=True, text=True, stdout=subprocess.PIPE)
    commands = re.search(r"^Commands:\n((?: .*\n|\n)+)", done.stdout, re.M)
    names = re.findall(r"^  ([a-z-]+)", commands[1], re.M) if commands else []
    return set(re.findall(r"--[a-z-]+", done.stdout)), set(names)


def test_every_command_of_livehook_exists():
    count = 0
    for path in DOCUMENTS:
        commands = re.findall(r"`(livehook [^`]+)`", (ROOT / path).read_text())
        for block in DOCUMENTS[path]:
            if block.language == "sh":
                lines = block.text.replace("\\\n", " ").splitlines()
                commands += [line.split("#")[0] for line in lines]
        for command in commands:
            for words in re.findall(r"(?:^|[ (|])livehook ([a-z][^|)]*)", command):
                # `docker run livehook keygen`, `docker exec livehook livehook events`
                name, *arguments = words.removeprefix("livehook ").split()
                assert name in options_of()[1], f"{path}: there is no `livehook {name}`"
                subcommand = [word for word in arguments[:1] if word in options_of(name)[1]]
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(arguments)):
                    assert option in options_of(name, *subcommand)[0], f"{path}: `livehook {name}` has no {option}"
                count += 1
    assert count > 50, f"only {count} commands were found"


def test_every_measurement_can_be_repeated():
    benches = {bench["name"]: bench["path"] for bench in tomllib.loads((ROOT / "Cargo.toml").read_text())["bench"]}
    commands = re.findall(r"`cargo bench --bench (\w+) -- (\w+)", (ROOT / "docs/performance.md").read_text())
    assert len(commands) > 8
    for name, mode in commands:
        sources = "".join(path.read_text() for path in (ROOT / benches[name]).parent.glob("*.rs"))
        assert f'"{mode}"' in sources, f"the benchmark {name} has no mode {mode}"


def anchor(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_link_leads_somewhere():
    anchors = {
        path: {anchor(heading) for heading in re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.M)} for path in DOCUMENTS
    }
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```$", "", (ROOT / path).read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", text):
            target = target[0] or target[1]
            if "://" in target:
                continue
            file, _, heading = target.partition("#")
            file = ((ROOT / path).parent / file).resolve() if file else ROOT / path
            assert file.exists(), f"{path}: {target} does not exist"
            if heading:
                assert heading in anchors[file.relative_to(ROOT).as_posix()], f"{path}: {target} has no such heading"


def test_the_readme_is_short():
    for path in DOCUMENTS:
        lines = (ROOT / path).read_text().splitlines()
        assert not path.startswith("README") or len(lines) <= 150, f"{path} has {len(lines)} lines"
