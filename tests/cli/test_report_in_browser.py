"""The page of ``report`` in Chromium: what is seen, searched, clicked and typed.

Where ``VPCCNI_NFT_SCREENSHOTS`` names a folder, each page is photographed into it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..support.command import run
from ..support.corpus import FOLDER
from ..support.namespaces import cannot_run

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

NODE = FOLDER / "node" / "eks-1.29-cni-1.18-imds-block.save"
PACKET = "path=forward iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443"
HOSTILE = "</script><img src=x onerror=document.title=1>"


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        cannot_run("chromium and chromedriver are not installed (apt install chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()


class Page:
    """A page of ``report``, opened."""

    def __init__(self, browser: WebDriver, path: Path) -> None:
        self.browser = browser
        browser.get(path.as_uri())
        if folder := os.environ.get("VPCCNI_NFT_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            browser.save_screenshot(str(Path(folder) / f"{path.stem}.png"))

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    @property
    def problems(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]  # type: ignore[no-untyped-call]


def opened(browser: WebDriver, path: Path, *arguments: str, stdin: str = "") -> Page:
    done = run("report", *arguments, "-o", str(path), stdin=stdin)
    assert (done.code, done.err) == (0, "")
    return Page(browser, path)


def test_a_node_is_searched_filtered_and_walked(browser: WebDriver, tmp_path: Path) -> None:
    page = opened(browser, tmp_path / "node.html", str(NODE), "--packet", PACKET)
    count = page.text("#count")
    assert count.startswith("72 of 72")

    page.one("#search").send_keys("169.254.169.254")
    assert page.text("#count").startswith("1 of 72")
    assert "169.254.169.254" in page.text("#window .row code")

    page.one('[data-chain="ip nat PREROUTING"]').click()
    assert page.one("#search").get_attribute("value") == ""
    assert page.text("#count").startswith("3 of 72")

    page.one('[data-owner="user"]').click()
    assert page.text("#count").startswith("0 of 72")
    page.one("#chain").send_keys("every chain")
    assert page.text("#count").startswith("1 of 72")

    page.one("#window .row").click()
    assert "nothing identifies its owner" in page.text("#detail")
    assert "forward" in page.text("#explained")
    assert page.problems == []


def test_rules_are_chosen_with_the_keys(browser: WebDriver, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page = opened(browser, tmp_path / "keys.html", str(NODE))
    page.one("#window").send_keys(Keys.ARROW_DOWN)
    first = page.text("#detail")
    page.one("#window").send_keys(Keys.ARROW_DOWN)
    assert first
    assert page.text("#detail") != first
    page.one("#window").send_keys(Keys.ARROW_UP)
    assert page.text("#detail") == first
    assert page.problems == []


def test_a_typed_packet_is_shown_or_the_page_says_how_to(
    browser: WebDriver, tmp_path: Path
) -> None:
    page = opened(browser, tmp_path / "typed.html", str(NODE))
    page.one("#typed").send_keys("iif=eni1 daddr=8.8.8.8")
    assert "vpccni-nft explain" in page.text("#packet-problem")
    explained = run("explain", str(NODE), "--packet", PACKET, "--json").out
    browser.execute_script(
        "const typed = document.getElementById('typed'); typed.value = arguments[0];"
        "typed.dispatchEvent(new Event('input'))",
        explained,
    )
    assert page.text("#packet-problem") == ""
    assert "AWS, primary ENI" in page.text("#explained")


def test_hostile_names_are_shown_as_text(browser: WebDriver, tmp_path: Path) -> None:
    dump = (
        "*filter\n:INPUT ACCEPT [0:0]\n:<b>x - [0:0]\n"
        f'-A INPUT -m comment --comment "{HOSTILE}" -j <b>x\nCOMMIT\n'
    )
    named = ("--family", "ip", "--title", HOSTILE)
    page = opened(browser, tmp_path / "hostile.html", "-", *named, stdin=dump)
    assert page.text("h1") == HOSTILE
    assert browser.title == f"{HOSTILE} · vpccni-nft"
    assert HOSTILE in page.text("#window .row code")
    assert page.all("#window b, #window img") == []
    assert page.problems == []


def test_of_very_many_rules_only_those_in_sight_are_in_the_document(
    browser: WebDriver, tmp_path: Path
) -> None:
    rules = "".join(f"-A INPUT -s 10.{n >> 8 & 255}.{n & 255}.1 -j DROP\n" for n in range(5000))
    dump = f"*filter\n:INPUT ACCEPT [0:0]\n{rules}COMMIT\n"
    page = opened(browser, tmp_path / "many.html", "-", stdin=dump)
    assert len(page.all("#window .row")) < 100
    browser.execute_script("document.getElementById('window').scrollTop = 1e9")
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")
    assert "10.19.135.1" in page.all("#window .row")[-1].text
    assert len(page.all("#window .row")) < 100
    assert page.problems == []


def test_classes_of_differences_open(browser: WebDriver, tmp_path: Path) -> None:
    dump = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/8 -j DROP\nCOMMIT\n"
    (tmp_path / "a.save").write_text(dump)
    (tmp_path / "b.save").write_text(dump.replace("DROP", "REJECT"))
    sides = ("--before", str(tmp_path / "a.save"), "--after", str(tmp_path / "b.save"))
    answer = run("verify", *sides, "--json").out
    page = opened(browser, tmp_path / "answer.html", "-", stdin=answer)
    assert page.text(".headline") == "Different: 1 class"
    page.one(".class summary").click()
    assert page.text(".class .ways").count("-A INPUT -s 10.0.0.0/8") == 2
    assert page.problems == []


@pytest.mark.parametrize(
    ("occurs", "said"),
    [
        ("no", "Equivalent: every packet is treated the same."),
        ("yes", "Equivalent, but for what is accepted."),
        ("unknown", "Equivalent, but for what is accepted."),
    ],
)
def test_what_is_accepted_is_said_to_occur_only_where_it_does(
    occurs: str, said: str, browser: WebDriver, tmp_path: Path
) -> None:
    save = tmp_path / "a.save"
    save.write_text("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/8 -j DROP\nCOMMIT\n")
    answer = json.loads(run("verify", "--before", str(save), "--after", str(save), "--json").out)
    answer["accepted"] = [{"name": "mine", "code": "", "why": "known", "occurs": occurs}]
    page = opened(browser, tmp_path / f"{occurs}.html", "-", stdin=json.dumps(answer))
    assert page.text(".headline") == said
    assert page.text("tbody tr") == f"mine {occurs} known"


def test_a_search_that_was_not_finished_is_said_to_be_so(
    browser: WebDriver, tmp_path: Path
) -> None:
    (tmp_path / "a.save").write_text(
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/8 -j DROP\nCOMMIT\n"
    )
    (tmp_path / "b.save").write_text(
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/9 -j REJECT\nCOMMIT\n"
    )
    sides = ("--before", str(tmp_path / "a.save"), "--after", str(tmp_path / "b.save"))
    answer = run("verify", *sides, "--first", "--json").out
    page = opened(browser, tmp_path / "first.html", "-", stdin=answer)
    assert page.text(".headline") == "Different: 1 class, and not everything was decided"


def test_a_change_of_modes_is_a_page_to_sign(browser: WebDriver, tmp_path: Path) -> None:
    records = []
    for name, file, mode in (("before", "iptables-legacy.save", "02-clusterip.save"),
                             ("after", "nft.txt", "02-clusterip.1.33.list")):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        (folder / file).write_text((FOLDER / "modes" / mode).read_text())
        head = f"host: ip-10-0-1-7<b>\ntaken: 2026-12-01T10:00:00Z\n\n{file}: ok: x\n"
        (folder / "record.txt").write_text(f"vpccni-nft record 1\n{head}")
        records.append(str(folder))
    target = tmp_path / "board.html"
    done = run("switch", "prove", *records, "--timeout", "0.01", "--page", str(target), "--json")
    assert done.code == 3, done.err
    page = Page(browser, target)
    assert "Change of modes on ip-10-0-1-7<b>" in page.text("h1")
    assert page.text("#change .headline").startswith("Not decided")
    shown = page.text("#change table")
    assert "ip-10-0-1-7<b>" in shown
    assert "nftables mode (as of Kubernetes 1.33), 1 port of Services" in shown
    assert "every order is tried" in page.text("#change dl")
    assert [one.text for one in page.all(".sign p")] == ["Name:", "Date:", "Signature:"]
    assert page.problems == []

    answer = json.loads(done.out)
    for changed, said in (
        ({"answer": "equivalent", "reasons": []}, "Go on"),
        ({"answer": "equivalent", "not_known": ["a Service was added"]}, "Not decided"),
        ({"answer": "equivalent", "leftovers": [{"message": "rules"}]}, "Stop"),
        ({"answer": "different"}, "Stop"),
    ):
        again = opened(browser, tmp_path / "a.html", "-", stdin=json.dumps(answer | changed))
        assert again.text("#change .headline").startswith(said)
