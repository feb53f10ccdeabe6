"""The pages of events, refusals and sinks in a real Chromium. `tests/pages.py` runs these tests."""

import gzip
import http.client
import http.server
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from page_site import HOSTILE, KEY, TOKEN, callback
from playwright.sync_api import expect
from programs import free_port, until

PAGE_BYTES_MAX = 60 * 1024
LOADED_BYTES_MAX = 150 * 1024


class Destination(http.server.ThreadingHTTPServer):
    """Takes the events of a sink, or rejects them for good."""

    def __init__(self):
        destination = self
        self.status, self.events = 422, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if destination.status == 200:
                    destination.events.append(json.loads(body))
                self.send_response(destination.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.port = free_port()
        super().__init__(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def with_sink(site):
    """Adds the sink `billing`, whose destination rejects everything at first."""
    destination = Destination()
    site.configure(f'[[sinks]]\nname = "billing"\ntype = "http"\nurl = "http://127.0.0.1:{destination.port}/hook"\n')
    return destination


def dead_letters(site):
    with urllib.request.urlopen(f"{site.url}/api/v1/dead-letters") as answer:
        return json.load(answer)["items"]


def log_in(page):
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()


def test_dead_letters_of_a_removed_sink(site):
    """They can be looked at and dropped, and not redriven."""
    with_sink(site)
    with site.serve():
        for stream in ("one", "two"):
            site.send("--event", "push", "--stream", stream)
        until("dead letters", lambda: len(dead_letters(site)) == 2)
    site.configure('[[sinks]]\nname = "other"\ntype = "log"\n')
    with site.serve(), site.page("/sinks") as page:
        expect(page.locator("#absent-sinks")).to_contain_text("2 dead letters")
        page.locator("#absent-sinks").get_by_role("link", name="billing").click()
        expect(page.locator("[data-dead-letter]")).to_have_count(2)
        expect(page.get_by_text("This sink is no longer configured.")).to_be_visible()
        page.locator("[data-dead-letter]").first.get_by_role("link", name="push", exact=True).click()
        assert page.get_by_role("link", name="Redrive").count() == 0
        page.goto(f"{site.url}/sinks/billing/drop")
        log_in(page)
        expect(page.locator("h1")).to_have_text("Drop 2 dead letters?")
        page.get_by_role("button", name="Drop").click()
        expect(page.get_by_role("status").filter(has_text="2 dead letters were dropped.")).to_be_visible()
        expect(page.locator("#absent-sinks")).to_be_empty()
        assert not dead_letters(site)


def test_redrive_and_drop(site):
    destination = with_sink(site)
    with site.serve():
        for stream in ("one", "two", "three"):
            site.send("--event", "push", "--stream", stream)
        until("dead letters", lambda: len(dead_letters(site)) == 3)
        with site.page("/sinks") as page:
            card = page.locator('[data-sink="billing"]')
            expect(card.locator("dd").last).to_have_text("3")
            card.get_by_role("link", name="billing").click()
            rows = page.locator("[data-dead-letter]")
            expect(rows).to_have_count(3)
            expect(rows.first).to_contain_text("422")
            # The link asks to log in first, and then whether to redrive.
            destination.status = 200
            rows.first.get_by_role("link", name="Redrive").click()
            log_in(page)
            expect(page.locator("h1")).to_have_text("Redrive this dead letter?")
            page.get_by_role("button", name="Redrive").click()
            expect(page.get_by_role("status").filter(has_text="1 dead letter is being sent again.")).to_be_visible()
            expect(rows).to_have_count(2)
            assert [event["subject"] for event in destination.events] == ["one"]
            rows.first.get_by_role("link", name="Drop").click()
            page.get_by_role("link", name="Go back").click()
            expect(rows).to_have_count(2)
            rows.first.get_by_role("link", name="Drop").click()
            page.get_by_role("button", name="Drop").click()
            expect(rows).to_have_count(1)
            page.get_by_role("link", name="Redrive all").click()
            expect(page.locator("h1")).to_have_text("Redrive 1 dead letter?")
            page.get_by_role("button", name="Redrive").click()
            expect(page.locator("#dead-letters")).to_contain_text("No dead letter.")
        assert [event["subject"] for event in destination.events] == ["one", "three"]
        assert not dead_letters(site)


def test_drop_all_without_a_script(site):
    with_sink(site)
    with site.serve():
        for stream in ("one", "two"):
            site.send("--event", "push", "--stream", stream)
        until("dead letters", lambda: len(dead_letters(site)) == 2)
        with site.page("/sinks/billing", java_script_enabled=False) as page:
            page.locator("[data-dead-letter]").first.get_by_role("link", name="push", exact=True).click()
            expect(page.locator("#event-json")).to_contain_text('"subject": "one"')
            page.get_by_role("link", name="Close").click()
            page.get_by_role("link", name="Drop all").click()
            log_in(page)
            page.get_by_role("button", name="Drop").click()
            expect(page.get_by_role("status").filter(has_text="2 dead letters were dropped.")).to_be_visible()
            expect(page.locator("[data-dead-letter]")).to_have_count(0)


class Browser:
    """Sends what a browser would, and what it would not."""

    def __init__(self, site):
        self.site, self.cookie = site, None

    def request(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.site.admin, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        headers = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded", **headers}
        if self.cookie:
            headers["cookie"] = self.cookie
        connection.request(method, path, body and urllib.parse.urlencode(body), headers)
        answer = connection.getresponse()
        answer.text = answer.read()
        return answer

    def log_in(self, token=TOKEN):
        answer = self.request("POST", "/login", {"token": token}, origin=self.site.url)
        self.cookie = (answer.headers["set-cookie"] or "").split(";")[0] or None
        return answer.status

    def form_token(self):
        return self.request("GET", "/sinks").text.decode().split('name="form_token" value="')[1].split('"')[0]


def test_changes_need_login_and_form_token(site):
    with_sink(site)
    with site.serve():
        site.send("--event", "push", "--stream", "one")
        until("dead letters", lambda: len(dead_letters(site)) == 1)
        stranger, browser = Browser(site), Browser(site)
        assert browser.log_in() == 303
        token = browser.form_token()
        path = "/sinks/billing/drop"
        for sender, form_token, origin in [
            (stranger, token, site.url),
            (browser, None, site.url),
            (browser, "", site.url),
            (browser, token[::-1], site.url),
            (browser, token, None),
            (browser, token, "null"),
            (browser, token, "https://evil.example"),
            (browser, token, f"http://127.0.0.1:{site.receiver}"),
        ]:
            body = {} if form_token is None else {"form_token": form_token}
            answer = sender.request("POST", path, {"dead_letter": "1", **body}, origin=origin)
            assert answer.status == 403, (form_token, origin, answer.status)
        assert browser.request("GET", f"{path}?form_token={token}").status == 200, "it asks"
        assert len(dead_letters(site)) == 1
        other = Browser(site)
        assert other.log_in() == 303
        assert other.request("POST", path, {"form_token": token}, origin=site.url).status == 403, "another login's token"
        assert browser.request("POST", path, {"form_token": token}, origin=site.url).status == 303
        assert not dead_letters(site)


def test_wrong_token_is_slow_and_login_ends(site):
    with site.serve():
        site.send("--event", "push", "--stream", "one")
        browser = Browser(site)
        begun = time.monotonic()
        assert browser.log_in("wrong") == 403 and browser.cookie is None
        assert time.monotonic() - begun >= 1
        with site.page("/login") as page:
            log_in(page)
            expect(page.get_by_role("button", name="Log out")).to_be_visible()
            cookies = page.context.cookies()
            login = next(cookie for cookie in cookies if cookie["name"] == "livehook_login")
            assert abs(login["expires"] - time.time() - 12 * 3600) < 120
            # A browser forgets the cookie when it expires. The service forgets the login at the same time.
            page.context.clear_cookies()
            page.reload()
            expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_events_appear_pause_and_go_on(site):
    with site.serve(), site.page("/events") as page:
        rows = page.locator("#events [data-event]")
        begun = time.monotonic()
        site.send("--event", "push", "--stream", "first")
        expect(rows).to_have_count(1)
        print(f"   an event was visible after {time.monotonic() - begun:.2f} s, with the time to send it")
        page.get_by_role("link", name="Pause").click()
        site.send("--event", "push", "--stream", "second")
        expect(page.locator("#tail")).to_contain_text("1 newer event")
        expect(rows).to_have_count(1)
        page.get_by_role("link", name="Resume").click()
        expect(rows).to_have_count(2)
        rows.first.get_by_role("link", name="push", exact=True).click()
        expect(page.locator("#event-json")).to_contain_text('"subject": "second"')
        command = page.locator("#event-curl").text_content()
        assert KEY not in command
        # The command works, with the key and the programs of this test.
        script = command.replace("CALLBACK_KEY", KEY)
        answer = site.shell(script)
        assert answer == '{"code":0}', answer
        page.get_by_role("link", name="Close").click()
        expect(page.locator("#event-json")).to_have_count(0)


def test_events_are_found_without_a_script(site):
    with site.serve():
        for number in range(60):
            site.post(callback(f"room-{number}", number))
        site.send("--event", "pair", "--stream", "gone", "--errcode", "8")
        with site.page("/events", java_script_enabled=False) as page:
            rows = page.locator("#events [data-event]")
            expect(rows).to_have_count(50)
            page.get_by_role("link", name="Older").click()
            expect(rows).to_have_count(12)
            page.get_by_role("navigation", name="Pages of the list").get_by_role("link", name="Newest").click()
            page.locator("select[name=type]").select_option("stop")
            page.locator(".event-filter").get_by_role("button", name="Apply").click()
            expect(rows).to_have_count(1)
            page.get_by_role("textbox", name="Stream").fill("room-*")
            page.get_by_role("textbox", name="Stream").press("Enter")
            expect(page.locator("#events")).to_contain_text("No event matches.")
            page.get_by_role("link", name="Clear").click()
            page.get_by_label("Find a text in events").fill("ROOM-59")
            page.get_by_label("Find a text in events").press("Enter")
            expect(rows).to_have_count(1)
            page.get_by_label("From").fill("never")
            page.get_by_label("From").press("Enter")
            expect(page.get_by_role("alert")).to_contain_text("since")


def test_events_from_outside_do_no_harm(site):
    with site.serve():
        for number, name in enumerate(HOSTILE):
            site.post({**callback(name, number), "errmsg": name})
            site.refuse({**callback(name, number), "errmsg": name})
        for color_scheme in ("light", "dark"):
            with site.page("/events", color_scheme=color_scheme) as page:
                rows = page.locator("#events [data-event]")
                expect(rows).to_have_count(len(HOSTILE))
                for number in range(len(HOSTILE)):
                    rows.nth(number).locator("th a").click()
                    shown = page.locator("#event-json").text_content()
                    # What a person copies is still the event.
                    assert json.loads(shown)["data"]["errmsg"] == HOSTILE[len(HOSTILE) - 1 - number]
                    assert "\u202e" not in page.locator("body").inner_text()
                    assert page.locator("main img, main script").count() == 0
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                page.goto(f"{site.url}/refused")
                expect(page.locator("[data-refusal]")).to_have_count(len(HOSTILE))
                for details in page.locator("details").all():
                    details.locator("summary").click()
                assert "\u202e" not in page.locator("body").inner_text()
                assert page.locator("main img, main script").count() == 0
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                for address in ("/events?text=%3Cscript%3E&type=%22%3E&domain=%E2%80%AE", "/sinks/%3Cscript%3E"):
                    page.goto(site.url + address)
                    assert page.locator("main script").count() == 0
                    # The browser logs a page that is not there.
                site.forgive("404")


def test_refusals_share_a_cause(site):
    with site.serve(), site.page("/refused") as page:
        expect(page.locator("#refused")).to_contain_text("No callback has been refused.")
        for number in range(4):
            site.refuse(callback("room", number))
        expect(page.locator('[data-refusal="signature_mismatch"]')).to_have_count(4)
        expect(page.locator('[data-cause="likely-other-key"]')).to_contain_text("Every signature differs")
        page.get_by_role("link", name="The signature differs").click()
        expect(page).to_have_url(f"{site.url}/refused?error=signature_mismatch")
        now = int(time.time())
        for number in range(20):
            site.post({**callback("room", number), "t": now - 60}, status=401)
        page.goto(f"{site.url}/refused")
        expect(page.locator('[data-cause="likely-clock"]')).to_contain_text("about 1 min")


def test_everyone_can_use_lists(site):
    """axe finds nothing serious, in both themes and all languages, and the keyboard alone redrives a dead letter."""
    destination = with_sink(site)
    with site.serve():
        site.send("--event", "push", "--stream", "one")
        until("dead letters", lambda: len(dead_letters(site)) == 1)
        for number in range(4):
            site.refuse(callback("room", number))
        event = dead_letters(site)[0]["id"]
        with site.page("/login") as page:
            log_in(page)
            expect(page.get_by_role("button", name="Log out")).to_be_visible()
            cookies = page.context.cookies()
        paths = [
            "/events", f"/events?event={event}", "/events?since=never", "/refused", "/sinks", "/sinks/billing?dead_letter=1",
            "/sinks/billing/drop?dead_letter=1", "/sinks/billing?done=drop&count=1",
        ]
        for language in ("en", "ko", "zh-CN"):
            faults = {path: site.serious_faults(path, language, cookies) for path in paths}
            assert not any(faults.values()), (language, faults)
        destination.status = 200
        with site.page("/sinks/billing") as page:
            page.context.add_cookies(cookies)
            page.reload()

            def tab_to(name):
                for _ in range(60):
                    page.keyboard.press("Tab")
                    if page.evaluate("document.activeElement.textContent.trim()") == name:
                        return
                raise AssertionError(f"the keyboard does not reach {name}")

            tab_to("Redrive")
            page.keyboard.press("Enter")
            expect(page.locator("h1")).to_have_text("Redrive this dead letter?")
            tab_to("Redrive")
            page.keyboard.press("Enter")
            expect(page.locator("#dead-letters")).to_contain_text("No dead letter.")
        for width in (390, 768, 1440, 2560):
            for path in paths[:5]:
                with site.page(path, viewport={"width": width, "height": 900}) as page:
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)


def loaded_bytes(site, path):
    """The size of a page and of all that it loads, as a browser gets them."""

    def load(path):
        request = urllib.request.Request(site.url + path, headers={"accept-encoding": "gzip", "accept": "text/html"})
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            assert len(body) < 1400 or answer.headers["content-encoding"] == "gzip", path
            return body

    page = load(path)
    html = gzip.decompress(page).decode() if page[:2] == b"\x1f\x8b" else page.decode()
    files = [part.split('"')[0] for mark in ('href="/assets/', 'src="/assets/') for part in html.split(mark)[1:]]
    return len(page), len(page) + sum(len(load(f"/assets/{name}")) for name in files)


def cpu_secs(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_many_streams_and_pages(site):
    """10,000 live streams stay usable, and 50 open pages cost little."""
    with_sink(site)
    with site.serve() as process:
        site.post_all(callback(f"stream-{number:05}", number) for number in range(10_000))
        until("the index", lambda: b"10,000</strong>" in urllib.request.urlopen(site.url).read(), timeout_secs=120)
        for number in range(60):
            site.refuse(callback("room", number))
        for path in ("/", "/timeline?span=24h", "/reasons?span=24h", "/events", "/refused", "/sinks", "/sinks/billing", "/login"):
            begun = time.monotonic()
            page_bytes, all_bytes = loaded_bytes(site, path)
            print(f"   {path}: {page_bytes:,} bytes, {all_bytes:,} with its files, {time.monotonic() - begun:.3f} s")
            assert page_bytes <= PAGE_BYTES_MAX and all_bytes <= LOADED_BYTES_MAX, path
        with site.page("/?text=stream-0999") as page:
            expect(page.locator("#live [data-stream]")).to_have_count(10)
            expect(page.locator("#live-count strong")).to_have_text("10,000")
            page.goto(f"{site.url}/?page=200&sort=name")
            expect(page.locator("#live [data-stream]").last).to_have_attribute(
                "data-stream", "push.example.com/live/stream-09999"
            )
            page.goto(site.url)
            # The browser notes the paint a moment after the page is there.
            paint = page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
            print(f"   first paint after {paint.json_value():.0f} ms")

        stop = threading.Event()

        def open_page():
            """Does what the script of a page does at most."""
            feed = http.client.HTTPConnection("127.0.0.1", site.admin, timeout=30)
            feed.request("GET", "/updates", headers={"accept": "text/event-stream"})
            answer = feed.getresponse()
            threading.Thread(target=lambda: [None for _ in iter(lambda: answer.read1(65536), b"")], daemon=True).start()
            connection = http.client.HTTPConnection("127.0.0.1", site.admin, timeout=30)
            # All pages are renewed at the same moments.
            while not stop.wait(0.5 - time.time() % 0.5):
                connection.request("GET", "/events", headers={"accept": "text/html", "accept-encoding": "gzip"})
                connection.getresponse().read()
            connection.close()
            feed.sock.close()

        pages = [threading.Thread(target=open_page, daemon=True) for _ in range(50)]
        for page in pages:
            page.start()
        time.sleep(2)
        begun, before = time.monotonic(), cpu_secs(process)
        for number in range(500):
            site.post(callback("busy", 20_000 + number))
            time.sleep(max(0, begun + (number + 1) / 100 - time.monotonic()))
        share = (cpu_secs(process) - before) / (time.monotonic() - begun)
        print(f"   50 pages at 100 events/s: {share:.0%} of a core, in this build, with receiving and indexing")
        stop.set()
        for page in pages:
            page.join()
