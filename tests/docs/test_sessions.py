"""docs/sessions.md: the commands print what the page shows, with the service, without it, and after a rebuild."""

import re

from documents import ROOT, examples
from service import Service

SESSIONS = "docs/sessions.md"


def as_shown(text):
    """Output without moments, which differ each time, and without spaces at line ends, which a page can't show."""
    text = re.sub(r"\s+$", "", text, flags=re.M)
    return re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "MOMENT", text)


def test_the_commands_print_what_is_shown(folder):
    (send, nothing), *queries = [example for example in examples(SESSIONS, None) if "sessions end" not in example[0]]
    assert nothing is None and len(queries) > 5 and all(shown for _, shown in queries), "the first sends, the others ask"
    service = Service(folder)

    def ask_all():
        for text, shown in queries:
            output, said = service.script(text, folder=ROOT)
            assert as_shown(output) == as_shown(shown), f"{text}\nprinted:\n{output}"
            assert not said, f"{text}\nsaid:\n{said}"

    with service.running():
        service.script(send, folder=ROOT)
        ask_all()
    ask_all()
    service.script("livehook rebuild-index")
    ask_all()


def test_a_session_can_be_ended_by_hand(folder):
    (end, _), = examples(SESSIONS, "End a session by hand")
    send = examples(SESSIONS, "Try it")[0][0]
    service = Service(folder)
    with service.running():
        service.script(send, folder=ROOT)
        service.wait_for_index()
        _, said = service.script(end)
        assert said.startswith("ended the session 2210464508206756940-7f413b11"), said
        shown, _ = service.script("livehook session 2210464508206756940")
    for expected in ("state        ended", "reason       manual", "message      the encoder lost power", "session-ended"):
        assert expected in shown, shown
