"""Uses the pages in a real Chromium, over the real service.

    cargo build && PYTHONPATH=FOLDER python3 tests/pages.py [NAME...]

FOLDER holds the packages of tests/requirements/pages.txt. Runs the tests whose name contains one of NAME, or all of them.
"""

import contextlib
import json
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zoneinfo
from datetime import datetime, timedelta, timezone
from pathlib import Path

import list_pages
import look_pages
import paint_pages
from page_site import HOSTILE, TOKEN, Site
from playwright.sync_api import expect, sync_playwright
from programs import until


def row(page, stream):
    return page.locator(f'#live tr[data-stream="push.example.com/live/{stream}"]')


def test_set_up_turns_into_the_list(site):
    with site.serve(), site.page() as page:
        expect(page.locator("h1")).to_have_text("Connect CSS to livehook")
        request = urllib.request.Request(
            f"http://127.0.0.1:{site.receiver}/callback", b'{"event_type":1}', {"content-type": "application/json"}
        )
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request)
        expect(page.locator('[data-refusal="signature_missing"]')).to_be_visible()
        site.send("--event", "push", "--stream", "first")
        expect(row(page, "first")).to_be_visible()


def test_push_and_stop_appear_by_themselves(site):
    with site.serve():
        site.send("--event", "push", "--stream", "old")
        with site.page() as page:
            expect(row(page, "old")).to_be_visible()
            begun = time.monotonic()
            site.send("--event", "push", "--stream", "new")
            expect(row(page, "new")).to_be_visible()
            seconds = time.monotonic() - begun
            print(f"   a push was visible after {seconds:.2f} s, with the time to send it")
            expect(page.locator("#live-count strong")).to_have_text("2")
            assert page.title().startswith("2 live")
            site.send("--event", "pair", "--stream", "short", "--errcode", "8")
            ended = page.locator('#ended [data-stream="push.example.com/live/short"]')
            expect(ended.locator(".reason-idle")).to_be_visible()
            ended.locator("a.why").click()
            expect(page.locator(".advice")).to_contain_text("Who should act")
            expect(page.locator("[data-event]")).to_have_count(2)


def test_names_from_outside_do_no_harm(site):
    with site.serve():
        site.send("--event", "push", "--stream", "plain")
        sample = json.loads((Path(__file__).parent / "fixtures" / "001-push.json").read_text())
        now = int(time.time())
        for number, name in enumerate(HOSTILE):
            times = {"event_time": now, "sequence": str(9000 + number), "t": now + 600}
            site.send_callback({**sample, **times, "stream_id": name, "channel_id": name, "app": "live"})
        for theme in ("light", "dark"):
            with site.page(color_scheme=theme) as page:
                expect(page.locator("#live tbody tr")).to_have_count(len(HOSTILE) + 1)
                assert page.locator("#live img, #live script").count() == 0
                assert "\u202e" not in page.locator("body").inner_text()
                width = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert width, "a long name makes the page wider than the window"
                page.locator("#live tbody tr").last.locator("a").click()


def test_page_without_a_script_shows_its_data(site):
    with site.serve():
        site.send("--event", "push", "--stream", "plain")
        site.send("--event", "pair", "--stream", "gone")
        with site.page(java_script_enabled=False) as page:
            expect(row(page, "plain")).to_contain_text("UTC")
            page.get_by_label("Find a stream").fill("nothing")
            page.get_by_label("Find a stream").press("Enter")
            expect(page.locator("#live")).to_contain_text("No live stream has this text")
            page.get_by_label("Language").select_option("ko")
            page.get_by_role("button", name="Apply").click()
            expect(page.locator("html")).to_have_attribute("lang", "ko")


def lane(page, stream):
    return page.locator(f'.lane[data-stream="push.example.com/live/{stream}"]')


def send_lanes(site):
    """A live stream, one with a gap and an overlap, and one that flaps."""
    site.send_session("live", 1800)
    site.send_session("gap", 3000, 2400)
    site.send_session("gap", 2360, 600, errcode=1)
    site.send_session("gap", 1500, 900, errcode=18)
    for number in range(12):
        site.send_session("flapping", 1000 - number * 20, 1000 - number * 20 - 3)


def test_time_line_shows_lanes(site):
    with site.serve():
        send_lanes(site)
        with site.page("/timeline?span=1h", viewport={"width": 1280, "height": 800}, timezone_id="Asia/Seoul") as page:
            expect(page.locator(".lane")).to_have_count(3)
            expect(lane(page, "live")).to_have_attribute("data-state", "live")
            expect(lane(page, "gap").locator(".lane-bar")).to_have_count(3)
            expect(lane(page, "gap").locator(".broadcast")).to_have_count(1)
            tops = {box["y"] for box in (bar.bounding_box() for bar in lane(page, "gap").locator(".lane-bar rect").all())}
            assert len(tops) == 2, "overlapping pushes have rows of their own"
            expect(page.locator(".time-range")).to_contain_text("UTC+9")
            lane(page, "gap").locator('[data-kind="network"]').hover()
            expect(page.locator(".tip")).to_contain_text("network")
            # In a day, the sessions of the flapping stream are too narrow for a bar each.
            page.get_by_role("link", name="Last 24 hours").click()
            expect(page).to_have_url(f"{site.url}/timeline?span=24h")
            expect(lane(page, "flapping").locator(".lane-bar")).to_have_count(1)
            lane(page, "flapping").locator(".lane-bar").click()
            expect(lane(page, "flapping").locator(".lane-bar")).to_have_count(12)
            lane(page, "flapping").locator(".lane-bar").first.click()
            expect(page.locator(".advice")).to_contain_text("Who should act")


def test_time_line_labels_follow_the_clock_change(site):
    """Before the last change of Berlin's clocks, the labels are an hour off the zone of today."""
    berlin, now = zoneinfo.ZoneInfo("Europe/Berlin"), datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (now - timedelta(days=number) for number in range(400))
    changed = next(day for day in days if (day + timedelta(hours=8)).astimezone(berlin).utcoffset() != day.astimezone(berlin).utcoffset())
    with site.serve():
        ago = int(time.time() - changed.timestamp())
        site.send_session("old", ago - 3600, ago - 4200)
        address = f"/timeline?from={changed:%Y-%m-%dT00:00:00Z}&to={changed:%Y-%m-%dT08:00:00Z}"
        with site.page(address, viewport={"width": 1280, "height": 800}, timezone_id="Europe/Berlin") as page:
            # The page shows the session as soon as the index has it.
            expect(page.locator(".lane")).to_have_count(1)
            marks = page.evaluate("[...document.querySelectorAll('.axis text')].map((mark) => [+mark.dataset.ms, mark.textContent])")
            local = [datetime.fromtimestamp(mark_ms / 1000, berlin) for mark_ms, _ in marks]
            expected = [f"{at:%m-%d}" if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}" for at in local]
            assert [label for _, label in marks] == expected and len(marks) > 5, marks


def test_time_line_zooms_and_moves(site):
    with site.serve():
        send_lanes(site)
        with site.page("/timeline?span=1h", viewport={"width": 1280, "height": 800}) as page:
            expect(page.locator(".lane")).to_have_count(3)
            from_ms = lambda: int(page.locator("#timeline").get_attribute("data-from-ms"))
            length_ms = lambda: int(page.locator("#timeline").get_attribute("data-until-ms")) - from_ms()
            box = page.locator(".grid").bounding_box()
            middle = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] * 0.25, middle)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
            expect(page.locator(".chosen-time")).to_be_visible()
            page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
            page.mouse.up()
            until("a drag zooms in", lambda: abs(length_ms() - 1_800_000) < 60_000)
            page.keyboard.press("-")
            until("a key zooms out", lambda: length_ms() > 3_000_000)
            page.keyboard.press("+")
            until("a key zooms in", lambda: length_ms() < 2_000_000)
            before = from_ms()
            page.keyboard.press("ArrowLeft")
            until("a key moves back", lambda: from_ms() < before - 600_000)
            page.go_back()
            until("the browser goes back", lambda: from_ms() == before)
            page.mouse.move(box["x"] + box["width"] * 0.5, middle)
            page.keyboard.down("Control")
            page.mouse.wheel(0, 300)
            page.keyboard.up("Control")
            until("the wheel zooms out", lambda: length_ms() > 2_000_000)
            page.goto(f"{site.url}/timeline?span=1h&stream=gap")
            bars = lane(page, "gap").locator(".lane-bar")
            bars.first.focus()
            page.keyboard.press("ArrowRight")
            expect(bars.nth(1)).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.locator("#session")).to_be_visible()


def test_reasons_lead_to_the_streams(site):
    with site.serve():
        send_lanes(site)
        with site.page("/reasons?span=24h") as page:
            network = page.locator('.reasons [data-reason="network"]')
            expect(network).to_contain_text("Who should act")
            expect(network.locator(".often")).to_contain_text("13")
            expect(page.locator(".bin").first).to_be_visible()
            expect(page.locator('.ranks [data-stream="push.example.com/live/flapping"]')).to_contain_text("12")
            network.get_by_role("link").click()
            expect(page.locator(".lane")).to_have_count(2)
            page.get_by_role("link", name="Remove this filter").first.click()
            expect(page.locator(".filters li")).to_have_count(1)
            page.get_by_role("link", name="Remove this filter").click()
            expect(page.locator(".lane")).to_have_count(3)
            page.goto(f"{site.url}/reasons?from=2020-01-01&to=2020-01-02")
            expect(page.locator("#reasons")).to_contain_text("No stream stopped in this time")


def test_time_line_without_a_script(site):
    with site.serve():
        send_lanes(site)
        for name in HOSTILE:
            site.send_session(name, 900, 300)
        with site.page("/timeline?span=1h", java_script_enabled=False) as page:
            expect(page.locator(".lane")).to_have_count(3 + len(HOSTILE))
            page.get_by_role("link", name="Earlier").click()
            expect(page.locator("#timeline")).to_contain_text("live")
            page.get_by_label("Find a stream").fill("gap")
            page.get_by_label("Find a stream").press("Enter")
            expect(page.locator(".lane")).to_have_count(1)
            page.locator(".lane-bar").first.click()
            expect(page.locator(".advice")).to_contain_text("Who should act")
        for theme in ("light", "dark"):
            for path in ("/timeline?span=1h", "/reasons?span=1h"):
                for width in (390, 1440):
                    with site.page(path, color_scheme=theme, viewport={"width": width, "height": 900}) as page:
                        expect(page.locator("main")).to_contain_text("gap")
                        assert page.locator("main img, main script").count() == 0
                        assert "\u202e" not in page.locator("body").inner_text()
                        fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                        assert fits, f"{path} is wider than a window of {width} pixels"


def test_session_shows_its_neighbours_and_media(site):
    with site.serve():
        send_lanes(site)
        now = int(time.time())
        for name, more in [
            ("100-recording", {"start_time": now - 2800, "end_time": now - 2500, "video_url": "https://vod.example.com/a.mp4"}),
            ("200-screenshot", {"create_time": now - 2700, "pic_full_url": "javascript:alert(1)"}),
        ]:
            sample = json.loads((Path(__file__).parent / "fixtures" / f"{name}.json").read_text())
            site.send_callback({**sample, **more, "stream_id": "gap", "channel_id": "gap", "t": now + 600})
        with site.page("/timeline?span=1h&stream=gap") as page:
            requests = []
            page.on("request", lambda request: requests.append(request.url))
            lane(page, "gap").locator('[data-kind="network"]').click()
            expect(page.locator("#broadcast .lane-bar")).to_have_count(3)
            expect(page.locator("#broadcast [aria-current=true]")).to_have_attribute("data-kind", "network")
            expect(page.locator(".neighbours li")).to_have_count(1)
            media = page.locator(".media a")
            expect(media).to_have_count(1)
            expect(media).to_have_attribute("rel", "noreferrer noopener")
            assert all(url.startswith(site.url) for url in requests), requests
            page.locator(".neighbours a").click()
            expect(page.locator(".neighbours li")).to_have_count(2)
            expect(page.locator(".neighbours")).to_contain_text("At the same time")
            page.get_by_text("This session as JSON").click()
            session = json.loads(page.locator("#session-json").inner_text())
            assert page.url.endswith(session["id"])


def test_stream_has_pages_of_sessions(site):
    with site.serve():
        for number in range(55):
            site.send_session("many", 3000 - number * 50, 3000 - number * 50 - 20)
        with site.page("/streams/push.example.com/live/many", java_script_enabled=False) as page:
            expect(page.locator("#week .lane-bar").first).to_be_visible()
            expect(page.locator("main")).to_contain_text("55 sessions")
            expect(page.locator("#sessions tbody tr")).to_have_count(50)
            page.get_by_role("link", name="Next").click()
            expect(page.locator("#sessions tbody tr")).to_have_count(5)
            page.get_by_role("link", name="Newest sessions").click()
            expect(page.locator("#sessions tbody tr")).to_have_count(50)


def test_login_and_logout(site):
    site.environment["LIVEHOOK_ADMIN_LISTEN"] = f"0.0.0.0:{site.admin}"
    with site.serve():
        site.send("--event", "push", "--stream", "secret")
        with site.browser.new_context() as context:
            page = context.new_page()
            page.goto(f"{site.url}/?text=secret")
            expect(page).to_have_url(f"{site.url}/login?next=%2F%3Ftext%3Dsecret")
            page.get_by_label("Admin token").fill("wrong")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("alert")).to_have_text("This is not the admin token.")
            page.get_by_label("Admin token").fill(TOKEN)
            page.get_by_role("button", name="Log in").click()
            expect(row(page, "secret")).to_be_visible()
            assert page.url == f"{site.url}/?text=secret"
            cookie = next(cookie for cookie in context.cookies() if cookie["name"] == "livehook_login")
            assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and TOKEN not in cookie["value"]
            # The feed works with the cookie, so the page changes by itself here too.
            site.send("--event", "push", "--stream", "secret-two")
            expect(row(page, "secret-two")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_label("Admin token")).to_be_visible()


def test_page_recovers_from_a_restart(site):
    with site.serve():
        site.send("--event", "push", "--stream", "before")
        page_context = site.page()
        page = page_context.__enter__()
        expect(row(page, "before")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("Connection lost, trying again")
    with site.serve():
        site.send("--event", "push", "--stream", "after")
        expect(row(page, "after")).to_be_visible(timeout=30_000)
        expect(page.locator("#connection")).to_have_text("")
        page_context.__exit__(None, None, None)


def test_everyone_can_use_them(site):
    """axe finds nothing serious, in both themes and all languages, and the keyboard alone reaches everything."""
    with site.serve():
        addresses = ["/", "/login", "/nothing"]
        for is_set_up in (False, True):
            for language in ("en", "ko", "zh-CN"):
                for path in addresses:
                    serious = site.serious_faults(path, language)
                    assert not serious, (path, language, serious)
            if not is_set_up:
                site.send("--event", "push", "--stream", "one")
                site.send("--event", "pair", "--stream", "two")
                until("index", lambda: b"data-state" in urllib.request.urlopen(site.url).read())
                with site.page() as page:
                    addresses.append(page.locator("#ended a.why").first.get_attribute("href"))
                addresses += ["/timeline?span=1h", "/timeline?from=2020-01-01", "/reasons", "/streams/push.example.com/live/two"]
        with site.page() as page:
            reached = set()
            for _ in range(30):
                page.keyboard.press("Tab")
                reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
            links = page.locator("a, select, input:not([type=hidden])").count()
            assert len(reached) >= links - 1, (links, reached)


def main():
    modules = [globals(), vars(list_pages), vars(look_pages), vars(paint_pages)]
    tests = {name: test for module in modules for name, test in module.items() if name.startswith("test_")}
    wanted = [name for name in tests if not sys.argv[1:] or any(part in name for part in sys.argv[1:])]
    assert wanted, f"no test has a name with {sys.argv[1:]}"
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: install it, or run tests/run"
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in wanted:
            with tempfile.TemporaryDirectory() as folder:
                tests[name](Site(browser, Path(folder)))
            print(f"ok: {name}")
        browser.close()


if __name__ == "__main__":
    main()
