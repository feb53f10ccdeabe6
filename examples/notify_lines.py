"""A program for a `command` sink with `mode = "lines"`: reads one event per line on stdin, and answers each on stdout."""

import json
import sys

for line in sys.stdin:
    event = json.loads(line)
    # stdout holds answers alone. What you write to stderr is in livehook's log.
    print(event["type"], event.get("subject"), file=sys.stderr)
    print("ok", event["id"], flush=True)
