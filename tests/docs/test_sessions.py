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
    (send, nothing), *queries = examples(SESSIONS, None)
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
