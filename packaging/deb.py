"""Makes the package for Debian from `[package.metadata.deb]` in Cargo.toml, which has the form that cargo-deb reads.

    python3 packaging/deb.py BINARY FOLDER [VERSION]

Prints the path of the package. Needs dpkg-deb. VERSION is that of Cargo.toml, unless you give another one.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BINARY = "target/release/livehook"
SCRIPTS = ("postinst", "prerm", "postrm")


def assets(metadata):
    """Each file with its path in the package and its mode. A pattern with ** keeps the folders below its fixed part."""
    for source, target, mode in metadata["assets"]:
        if source == BINARY:
            yield None, target + Path(source).name, mode
            continue
        fixed = ROOT / source.split("*")[0] if "*" in source else (ROOT / source).parent
        found = sorted(path for path in ROOT.glob(source) if path.is_file())
        assert found, f"no file is called {source}"
        for path in found:
            yield path, target + path.relative_to(fixed).as_posix(), mode


def control(package, metadata, version, installed_bytes):
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, text=True, stdout=subprocess.PIPE)
    description = metadata["extended-description"].replace("\n", "\n ")
    return (
        f"Package: {package['name']}\nVersion: {version}\nArchitecture: {architecture.stdout.strip()}\n"
        f"Maintainer: {metadata['maintainer']}\nInstalled-Size: {installed_bytes // 1024 + 1}\n"
        f"Section: {metadata['section']}\nPriority: {metadata['priority']}\nDepends: {metadata['depends']}\n"
        f"Recommends: {metadata['recommends']}\nDescription: {package['description']}\n {description}\n"
    )


def write(path, content, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def make(binary, folder, version=None, compression="xz"):
    """Writes the package of a binary into a folder, and returns its path."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    metadata = package["metadata"]["deb"]
    version = version or f"{package['version']}-1"
    with tempfile.TemporaryDirectory() as root:
        # The folders of a package are readable for everyone.
        os.umask(0o022)
        root = Path(root)
        root.chmod(0o755)
        for source, target, mode in assets(metadata):
            write(root / target, (source or binary).read_bytes(), int(mode, 8))
        documents = root / "usr/share/doc" / package["name"]
        write(documents / "copyright", (ROOT / metadata["license-file"][0]).read_bytes(), 0o644)
        changelog = gzip.compress((ROOT / metadata["changelog"]).read_bytes(), mtime=0)
        write(documents / "changelog.gz", changelog, 0o644)
        installed_bytes = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        write(root / "DEBIAN/control", control(package, metadata, version, installed_bytes).encode(), 0o644)
        write(root / "DEBIAN/conffiles", "".join(f"{path}\n" for path in metadata["conf-files"]).encode(), 0o644)
        for name in SCRIPTS:
            write(root / "DEBIAN" / name, (ROOT / metadata["maintainer-scripts"] / name).read_bytes(), 0o755)
        built = subprocess.run(
            ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", root, folder], check=True, text=True, stdout=subprocess.PIPE,
        )
    return built.stdout.split("'")[-2]


if __name__ == "__main__":
    print(make(*map(Path, sys.argv[1:3]), *sys.argv[3:]))
