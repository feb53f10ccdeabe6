"""How long a page takes until it shows something, and whether it moves afterwards.

    cargo build --release && PYTHONPATH=FOLDER python3 tests/paint_pages.py [PROGRAM]

FOLDER holds the packages of tests/requirements/pages.txt. Prints the median first paint of each page, with 2,000 live streams, next to
the one of a single line of HTML. PROGRAM is `target/release/livehook` if it is absent. `tests/pages.py` runs the test.
"""

import contextlib
import http.server
import json
import shutil
import statistics
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from page_site import Site, callback
from playwright.sync_api import sync_playwright
from programs import ROOT, free_port, until

LOADS = 9
# How many times longer than one line of HTML a page may take. In a debug build on a busy machine it was up to 7 times.
PAINT_TIMES_MAX = 15
# The first paint, in ms since the start of the navigation.
PAINT = """() => new Promise((done) => {
  const paint = (list) => list.getEntriesByName('first-contentful-paint').forEach(({ startTime }) => done(startTime));
  new PerformanceObserver(paint).observe({ type: 'paint', buffered: true });
})"""
# How much of the page has moved, from 0 (nothing) on.
SHIFT = """() => new Promise((done) => {
  let sum = 0;
  const add = (list) => list.getEntries().forEach(({ value }) => { sum += value; });
  new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(sum), 1500);
})"""


@contextlib.contextmanager
def static_line():
    """Serves one line of HTML, which is what a browser shows soonest."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<!doctype html><title>one</title><p>One line."
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def fill(site, streams):
    """Stores live streams, a stream with many sessions, and refusals. Returns the address of each page."""
    site.post_all(callback(f"stream-{number:05}", number) for number in range(streams))
    for number in range(30):
        site.send_session("busy", 3000 - number * 90, 3000 - number * 90 - 60, errcode=(1, 8, 12, 18)[number % 4])
    for number in range(60):
        site.refuse(callback("room", number))
    count = f"{streams:,}</strong>".encode()
    until("the index", lambda: count in urllib.request.urlopen(site.url).read(), timeout_secs=60)
    stream = "push.example.com/live/busy"
    with urllib.request.urlopen(f"{site.url}/api/v1/sessions?state=ended&limit=1") as answer:
        session = json.load(answer)["items"][0]["id"]
    paths = {name: f"/{name}" for name in ("timeline", "reasons", "events", "refused", "sinks")}
    return {"now": "/", **paths, "stream": f"/streams/{stream}", "session": f"/sessions/{session}"}


class Visitor:
    """A browser with an empty cache and no cookies, in a zone other than UTC."""

    def __init__(self, browser):
        self.context = browser.new_context(timezone_id="Asia/Seoul", viewport={"width": 1280, "height": 800})
        self.page = self.context.new_page()

    def first_paint(self, url):
        self.page.goto(url)
        return self.page.evaluate(PAINT)

    def shift(self, url):
        self.page.goto(url)
        return self.page.evaluate(SHIFT)


def first_paints(browser, url, loads=LOADS):
    """First paints of first visits, and of visits after them."""
    cold, warm = [], []
    for _ in range(loads):
        visitor = Visitor(browser)
        cold.append(visitor.first_paint(url))
        warm.append(visitor.first_paint(url))
        visitor.context.close()
    return cold, warm


def measure(site):
    with site.serve(), static_line() as line:
        pages = fill(site, 2000)
        print(f"{'first paint, ms':18} {'first visit':>20} {'next visits':>20} {'moved':>8}")
        for name, url in [("one line", line), *((name, site.url + path) for name, path in pages.items())]:
            columns = []
            for found in first_paints(site.browser, url):
                columns.append(f"{statistics.median(found):.0f} ({min(found):.0f} to {max(found):.0f})")
            visitor = Visitor(site.browser)
            shifts = [visitor.shift(url) for _ in range(2)]
            visitor.context.close()
            print(f"{name:18} {columns[0]:>20} {columns[1]:>20} {shifts[0]:8.3f} {shifts[1]:8.3f}", flush=True)


def test_pages_paint_soon(site):
    """Compared with one line of HTML, because a busy machine delays both."""
    with site.serve(), static_line() as line:
        pages = fill(site, 200)
        fastest = min(first_paints(site.browser, line, 5)[1])
        for name, path in pages.items():
            paint = min(first_paints(site.browser, site.url + path, 3)[1])
            print(f"   {name}: first paint after {paint:.0f} ms, one line after {fastest:.0f} ms")
            assert paint < PAINT_TIMES_MAX * fastest, name


def main():
    program = Path(sys.argv[1] if sys.argv[1:] else ROOT / "target" / "release" / "livehook").absolute()
    assert program.exists(), f"{program} is missing: run cargo build --release"
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        site = Site(browser, Path(folder))
        site.program = str(program)
        measure(site)
        browser.close()


if __name__ == "__main__":
    main()
