"""The workflows of GitHub: one version of Rust everywhere, pinned actions, no more permissions than each job needs."""

import re
import tomllib

import yaml

from documents import ROOT

WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
MAY_WRITE = {"build": {"packages"}, "publish": {"contents", "packages"}}


def test_one_version_of_rust_is_named():
    version = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert f"FROM rust:{version}-bookworm AS build\n" in (ROOT / "Dockerfile").read_text()
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
