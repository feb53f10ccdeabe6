"""Does what the documents say, with the real programs, and compares the output that they show.

    cargo build && PYTHONPATH=FOLDER python3 tests/docs [NAME...]

Runs the tests whose names contain one of NAME, or all. After all of them, each block of each document must have been used. FOLDER
holds the packages of tests/requirements/schemas.txt; tests/run makes it.

Needs bash, curl, jq, md5sum, dpkg, strip, openssl, node, nginx, caddy, strace, prometheus, promtool and systemd-analyze, and Linux, where all of 127.0.0.0/8 is this machine: a client can then
have another address than the proxy. Free ports replace those of the documents; the rest runs as written.
"""

import importlib
import inspect
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import documents  # noqa: E402


def main():
    names = sys.argv[1:]
    files = sorted(path.stem for path in HERE.glob("test_*.py"))
    tests = [
        (f"{name}.{member}", test)
        for name in files
        for member, test in vars(importlib.import_module(name)).items()
        if member.startswith("test_") and test.__module__ == name
    ]
    for name, test in tests:
        if not names or any(wanted in name for wanted in names):
            with tempfile.TemporaryDirectory(prefix="livehook-docs-") as folder:
                test(*[Path(folder)] * len(inspect.signature(test).parameters))
            print(f"ok: {name}", flush=True)
    unused = documents.unused()
    assert names or not unused, f"no test uses these blocks: {', '.join(unused)}"


main()
