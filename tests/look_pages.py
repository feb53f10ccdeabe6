"""Tests of the pages: how they look in each language, on a phone and on a wide screen."""

from playwright.sync_api import expect

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def style(locator, property_name):
    return locator.evaluate(f"each => getComputedStyle(each).getPropertyValue('{property_name}')")


def lefts(page, selector):
    """The left edges of all elements, each once."""
    return page.eval_on_selector_all(selector, "all => [...new Set(all.map(each => Math.round(each.getBoundingClientRect().left)))]")


def test_languages_have_their_own_type(site):
    """Korean breaks no word, and no language gets the Chinese characters of another one."""
    with site.serve():
        for language, breaks, own, foreign in [
            ("en", "normal", None, ["Apple SD Gothic Neo", "PingFang SC"]),
            ("ko", "keep-all", "Malgun Gothic", ["PingFang SC", "Noto Sans CJK SC"]),
            ("zh-CN", "normal", "Microsoft YaHei", ["Apple SD Gothic Neo", "Noto Sans CJK KR"]),
        ]:
            with site.page(locale=language, viewport=PHONE) as page:
                heading, button = page.locator("h1"), page.locator("select").first
                assert style(heading, "word-break") == breaks, language
                for element in (heading, button):
                    fonts = style(element, "font-family")
                    assert "system-ui" in fonts and (own is None or own in fonts), fonts
                    assert not [font for font in foreign if font in fonts], (language, fonts)
                assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], language


def test_ended_sessions_stand_in_columns(site):
    with site.serve():
        for stream, begins, ends, code in [("short", 90, 80, 8), ("long", 90_000, 100, 1), ("a-long-name-of-a-stream", 9000, 20, 12)]:
            site.send_session(stream, begins, ends, code)
        with site.page(viewport=WIDE) as page:
            expect(page.locator(".ended li")).to_have_count(3)
            for part in (":nth-child(1)", ":nth-child(2)"):
                found = lefts(page, f".ended li > {part}")
                assert len(found) == 1, (part, found)
        with site.page(viewport=PHONE) as page:
            assert len(lefts(page, ".ended li > *")) == 1


def test_chosen_row_is_one_area_on_a_phone(site):
    with site.serve():
        site.send("--event", "push", "--stream", "chosen")
        with site.page("/events", viewport=PHONE) as page:
            page.locator("#events tbody a").first.click()
            row = page.locator("#events tr[aria-current]")
            expect(row).to_be_visible()
            assert style(row, "background-color") == style(row.locator("td").first, "background-color")


def test_stream_without_a_gap_shows_none(site):
    with site.serve():
        site.send_session("whole", 600, 60)
        with site.page("/streams/push.example.com/live/whole") as page:
            expect(page.locator("dl.facts")).to_contain_text("–")
            expect(page.locator("dl.facts")).not_to_contain_text("0 s")
