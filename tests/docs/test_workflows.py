"""The checks and the workflows of GitHub: one version of Rust everywhere, pinned tools, images by digest, advisories that are never
skipped in silence, no more permissions than each job needs."""

import re
import subprocess
import tomllib

import yaml

from documents import ROOT
from programs import ENVIRONMENT

WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
MAY_WRITE = {"build": {"packages"}, "publish": {"contents", "packages"}}


def test_one_version_of_rust_is_named():
    version = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert f"ARG BUILD_IMAGE=rust:{version}-bookworm\n" in (ROOT / "Dockerfile").read_text()
    assert WORKFLOWS["ci.yml"]["jobs"]["checks"]["container"]["image"] == f"rust:{version}-bookworm"
    least = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
    assert f"Rust {least} or later" in (ROOT / "README.md").read_text()
    assert [int(part) for part in least.split(".")] <= [int(part) for part in version.split(".")]


def test_actions_are_pinned_and_permissions_are_few():
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {}, f"{name} gives every job permissions"
        for job, content in workflow["jobs"].items():
            writes = {permission for permission, value in content["permissions"].items() if value == "write"}
            assert writes <= MAY_WRITE.get(job, set()), f"{name}: {job} may write {writes}"
            uses = [content, *content.get("steps", [])]
            for action in (step["uses"] for step in uses if "uses" in step):
                assert action.startswith("./") or re.search(r"@[0-9a-f]{40}$", action), f"{name}: {action} is not pinned"
    assert ".ci/run" in [step.get("run") for step in WORKFLOWS["ci.yml"]["jobs"]["checks"]["steps"]]


def test_every_tool_is_pinned():
    """Packages of pip by version, the checkers also by hash; crates by version and lock file."""
    for path in [ROOT / ".ci/requirements.txt", *(ROOT / "tests/requirements").glob("*.txt")]:
        packages = re.sub(r"#.*", "", path.read_text()).replace("\\\n", " ").splitlines()
        hashes = r"( +--hash=sha256:[0-9a-f]{64})" + ("+" if path.parent.name == ".ci" else "*")
        for package in filter(None, map(str.strip, packages)):
            assert re.fullmatch(r"\S+==\S+" + hashes, package), f"{path.name}: {package}"
    for name, workflow in WORKFLOWS.items():
        for command in re.findall(r"cargo install [^\n]*", yaml.dump(workflow, width=10_000)):
            for install in command.split("cargo install ")[1:]:
                assert re.match(r"[\w-]+ --version \d+\.\d+\.\d+ --locked", install), f"{name}: {install}"


def test_a_release_names_images_by_digest():
    dockerfile = (ROOT / "Dockerfile").read_text()
    arguments = re.findall(r"^ARG (\w+)=\S+:\S+$", dockerfile, re.M)
    images = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")]
    assert images == [f"${{{name}}}" for name in arguments] and len(images) == 2
    steps = WORKFLOWS["release.yml"]["jobs"]["build"]["steps"]
    find, build = (next(step["run"] for step in steps if text in step.get("run", "")) for text in ("imagetools", "buildx build"))
    assert f"for name in {' '.join(arguments)}; do" in find and "$image@$digest" in find
    for name in arguments:
        assert f'--build-arg {name}="${name}"' in build
    assert any("cargo cyclonedx --format json" in step.get("run", "") for step in steps), "the SBOM"
    assert "--sbom=true" in build and "--provenance=mode=max" in build


def test_advisories_are_not_skipped_in_silence(folder):
    """Where the database can't be fetched, .ci/run says so. The workflows fail then, and if a crate has an advisory."""
    cargo = folder / "cargo"
    for fetch, check, required, code, said in [
        (0, 0, False, 0, "checked"),
        (0, 1, False, 1, "checked"),
        (1, 0, False, 0, "ADVISORIES NOT CHECKED"),
        (1, 0, True, 1, "ADVISORIES NOT CHECKED"),
    ]:
        cargo.write_text(f'#!/bin/sh\ncase "$*" in *fetch*) exit {fetch} ;; *" check "*) echo checked; exit {check} ;; esac\n')
        cargo.chmod(0o755)
        environment = {**ENVIRONMENT, "PATH": f"{folder}:{ENVIRONMENT['PATH']}", "ADVISORIES": "required" if required else ""}
        done = subprocess.run(
            ["bash", ROOT / ".ci/run", "advisories"], env=environment, check=False, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == code and said in done.stdout, done.stdout
    for name in ("ci.yml", "advisories.yml"):
        steps = [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"] if ".ci/run" in step.get("run", "")]
        assert [step["env"]["ADVISORIES"] for step in steps] == ["required"], name


def test_scripts_of_the_workflows_are_scripts():
    for name, workflow in WORKFLOWS.items():
        for job in workflow["jobs"].values():
            for step in job.get("steps", []):
                script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
                done = subprocess.run(["bash", "-n"], input=script, check=False, text=True, stderr=subprocess.PIPE)
                assert done.returncode == 0, f"{name}: {done.stderr}"
