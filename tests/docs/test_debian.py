"""packaging/: the package for Debian is made, installed, started, upgraded, removed and purged with the real dpkg, in a copy of this
system. Needs root and Debian."""

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from documents import ROOT
from programs import LIVEHOOK, free_port, livehook, running, until
from service import script

PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["metadata"]["deb"]
UNIT = (ROOT / "examples/systemd/livehook.service").read_text()
ENABLED = "etc/systemd/system/multi-user.target.wants/livehook.service"


def made(folder, version=None):
    """A package with the binary that the tests use, without its symbols and uncompressed: that saves a minute."""
    spec = importlib.util.spec_from_file_location("deb", ROOT / "packaging/deb.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stripped = folder / "livehook"
    if not stripped.exists():
        subprocess.run(["strip", "-o", stripped, LIVEHOOK], check=True)
    return module.make(stripped, folder, version, compression="none")


@contextlib.contextmanager
def copy_of_the_system(folder):
    """A folder with all files of this system. What changes there, changes nothing here."""
    script("mkdir layer && mount -t tmpfs none layer && mkdir layer/new layer/work layer/root", folder)
    root = folder / "layer/root"
    try:
        script("mount -t overlay overlay -o lowerdir=/,upperdir=new,workdir=work root", folder / "layer")
        script("mount --bind /dev root/dev && mkdir -p root/proc && mount -t proc none root/proc", folder / "layer")
        # The tests may run on a machine that has livehook.
        script("rm -rf root/etc/livehook root/var/lib/livehook root/usr/bin/livehook", folder / "layer")
        yield root
    finally:
        script("umount --recursive --lazy layer", folder)


def dpkg(root, *arguments):
    done = subprocess.run(
        ["chroot", root, "dpkg", *arguments], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def inside(root, package):
    """The path of a package within the copy of the system."""
    copy = shutil.copy(package, root / "tmp")
    return f"/{Path(copy).relative_to(root)}"


@contextlib.contextmanager
def served(root, name, folder):
    """The installed livehook, started as the unit says. Returns a function that sends callbacks with the installed key, and one
    that lists the events."""
    receiver, admin = free_port(), free_port()
    environment = dict(pair.split("=") for pair in re.search(r"^Environment=(.*)$", UNIT, re.M)[1].split())
    environment |= {"LIVEHOOK_LISTEN": f"127.0.0.1:{receiver}", "LIVEHOOK_ADMIN_LISTEN": f"127.0.0.1:{admin}"}
    directory = re.search(r"^WorkingDirectory=(.*)$", UNIT, re.M)[1]
    start = re.search(r"^ExecStart=(.*)$", UNIT, re.M)[1]
    command = ["chroot", "--userspec=livehook:livehook", root, "sh", "-c", f"cd {directory} && exec {start}"]
    key = (root / "etc/livehook/callback.key").read_text().strip()

    def send(stream):
        livehook("send", "--key", key, "--url", f"http://127.0.0.1:{receiver}/callback", "--stream", stream, folder=folder)

    def streams():
        lines = livehook("events", "--data-dir", root / "var/lib/livehook", "--output", "json", folder=folder).splitlines()
        return [json.loads(line)["subject"] for line in lines]

    with running(name, command, receiver, folder, environment) as process:
        yield send, streams, process


def test_the_package_is_installed_upgraded_and_purged(folder):
    first, second = made(folder), made(folder, "99.0-1")
    with copy_of_the_system(folder) as root:
        dpkg(root, "--install", inside(root, first))
        users = (root / "etc/passwd").read_text()
        user = re.search(r"^livehook:x:(\d+):(\d+):[^:]*:/var/lib/livehook:/usr/sbin/nologin$", users, re.M)
        assert user, "the user can't log in"
        for path, mode in [("etc/livehook", "750"), ("etc/livehook/livehook.toml", "640"), ("etc/livehook/callback.key", "640")]:
            status = (root / path).stat()
            assert (status.st_uid, str(status.st_gid), f"{status.st_mode & 0o777:o}") == (0, user[2], mode), path
        data = root / "var/lib/livehook"
        assert (str(data.stat().st_uid), f"{data.stat().st_mode & 0o777:o}") == (user[1], "700")
        assert (root / ENABLED).is_symlink(), "the service starts with the system"
        key = (root / "etc/livehook/callback.key").read_text()
        with served(root, "first", folder) as (send, streams, process):
            send("before")
            assert streams() == ["before"]
            until("the file sink has it", lambda: "before" in (data / "events.jsonl").read_text(), process)

        # An upgrade keeps key, data, and a configuration that was changed.
        config = root / "etc/livehook/livehook.toml"
        config.write_text(config.read_text() + '\n[log]\nformat = "json"\n')
        (root / ENABLED).unlink()
        dpkg(root, "--install", inside(root, second))
        assert "99.0-1" in dpkg(root, "--status", "livehook")
        assert config.read_text().endswith('format = "json"\n') and f"{config.stat().st_mode & 0o777:o}" == "640"
        assert (root / "etc/livehook/callback.key").read_text() == key
        assert not (root / ENABLED).is_symlink(), "a service that was disabled stays disabled"
        with served(root, "second", folder) as (send, streams, _):
            send("after")
            assert streams() == ["before", "after"]
        assert (folder / "second.log").read_text().startswith("{"), "the changed configuration is in use"

        dpkg(root, "--remove", "livehook")
        assert config.exists() and (data / "journal.db").exists() and not (root / "usr/bin/livehook").exists()
        dpkg(root, "--install", inside(root, first))
        with served(root, "third", folder) as (send, streams, _):
            assert streams() == ["before", "after"]

        dpkg(root, "--purge", "livehook")
        left = [path for path in ("etc/livehook", "var/lib/livehook", ENABLED, "usr/share/doc/livehook") if (root / path).exists()]
        assert not left, left
        assert not list((root / "etc/systemd").rglob("livehook*")), "no link and no mask is left"


def test_the_package_names_the_c_library_that_it_needs():
    symbols = subprocess.run(["objdump", "-T", LIVEHOOK], check=True, text=True, stdout=subprocess.PIPE).stdout
    needed = max(tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([\d.]+)", symbols))
    named = re.search(r"libc6 \(>= ([\d.]+)\)", PACKAGE["depends"])[1]
    assert tuple(map(int, named.split("."))) >= needed, needed


def test_a_release_has_the_package():
    workflow = (ROOT / ".github/workflows/release.yml").read_text()
    assert 'python3 packaging/deb.py "dist/$ARCHIVE/livehook" dist\n' in workflow
