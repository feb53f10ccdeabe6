"""A program for a `command` sink that starts it for each event: reads one event on stdin, and answers with its exit code."""

import json
import sys

PERMANENT = 65  # no further try can succeed: the event becomes a dead letter

event = json.load(sys.stdin)
if "subject" not in event:
    sys.exit(PERMANENT)
print(event["subject"], "stopped:", event["data"].get("errmsg"), file=sys.stderr)
