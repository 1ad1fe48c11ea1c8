"""The HTML report of a real run, in a real browser: what a person does with it, with a mouse and without."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from harness.accounting.verdict import Judgement
from harness.report import html
from harness.report.html.page import MOST_BYTES, write_report
from tests.e2e.commands import pipeproof
from tests.e2e.swallowing import SCENARIO, write_project
from tests.unit.report.runs import LOST, STORED, left_run

NPM = shutil.which("npm")
VENDOR = Path(html.__file__).parent / "vendor"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
    # Its tests share one run.
    pytest.mark.xdist_group("report"),
]
FAULTS = """
faults: [{kind: throttle, id: slow-down, service: s3, operation: PutObject, calls: "11-15"}]
"""


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The report that `pipeproof run` has left of a run that lost five of sixty records."""
    directory = tmp_path_factory.mktemp("failed")
    write_project(directory)
    (directory / "orders.yaml").write_text(SCENARIO + FAULTS)
    exit_code, said, _ = pipeproof(directory, "run", "orders.yaml", "--records", "60")
    assert exit_code == 1, said
    path = directory / "runs" / "latest" / "report.html"
    assert f"Report: {path.resolve()}" in said
    return path.resolve()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Opens a report; it may complain of nothing, and ask for nothing but itself."""
    pages = []

    def opened(path, fragment="", width=1280, until="#environment-title", **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        pages.append(page)
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri() + fragment)
        expect(page.locator(until)).to_be_attached()
        return page

    yield opened
    for page in pages:
        assert page.complaints == []
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
        page.close()


def rows(page):
    return page.locator("#records tbody tr")


def test_verdict_account_cause_and_command_come_first(failed, opened):
    page = opened(failed)
    expect(page.locator("header")).to_contain_text("FAIL")
    expect(page.locator("header")).to_contain_text("5 of 60 records lost")
    expect(page.locator(".equation")).to_have_text(re.compile(r"60 offered\s*= 55 stored.*5 lost"))
    expect(page.locator(".command code")).to_contain_text("pipeproof run orders.yaml --seed 1 --records 60")
    cause = page.locator(".cluster")
    expect(cause).to_have_count(1)
    expect(cause.locator("h3")).to_have_text("5 lost: Keep called s3.PutObject, which was throttled")
    expect(cause).to_contain_text("SlowDown")
    expect(cause).to_contain_text("slow-down")
    expect(cause).to_contain_text("not stored: An error occurred")


def test_a_band_filters_the_table_and_a_chip_takes_it_back(failed, opened):
    page = opened(failed)
    page.get_by_role("button", name="5 records: accepted to lost").click()
    expect(rows(page)).to_have_count(5)
    for row in rows(page).all():
        expect(row).to_contain_text("seen nowhere afterwards")
    expect(page.locator("#records [role=status]")).to_have_text("5 records")
    page.get_by_role("button", name="Remove the filter ended lost").click()
    expect(page.locator("#records [role=status]")).to_contain_text("kept of 60")
    page.get_by_label("find").fill("no such record")
    expect(rows(page)).to_have_count(0)


def test_a_brush_zooms_all_panels(failed, opened):
    page = opened(failed)
    panels = page.locator("#timeline .uplot")
    panels.first.scroll_into_view_if_needed()
    whole = float(page.get_by_label("until").input_value())
    drawn = "canvases => canvases.map(canvas => canvas.toDataURL())"
    before = page.locator("#timeline canvas").evaluate_all(drawn)
    over = panels.first.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
    page.mouse.up()
    expect(page.get_by_label("until")).not_to_have_value(f"{whole:.2f}")
    begin, end = (float(page.get_by_label(name).input_value()) for name in ("from", "until"))
    assert begin == pytest.approx(whole * 0.25, rel=0.05)
    assert end == pytest.approx(whole * 0.75, rel=0.05)
    assert len(before) == 3
    assert all(was != now for was, now in zip(before, page.locator("#timeline canvas").evaluate_all(drawn), strict=True))
    page.get_by_role("button", name="Whole run").click()
    expect(page.get_by_label("until")).to_have_value(f"{whole:.2f}")
    assert page.locator("#timeline canvas").evaluate_all(drawn) == before
    status = page.locator("#timeline [role=status]")
    page.get_by_label("from").fill(f"{whole / 2:.2f}")
    page.get_by_label("from").press("Enter")
    expect(status).to_contain_text(f"{whole / 2:.2f} to {whole:.2f} s")
    page.get_by_label("until").fill("0")
    page.get_by_label("until").press("Enter")
    expect(status).to_have_text("from must be before until")


def test_the_way_of_a_record_is_told_hop_by_hop(failed, opened):
    page = opened(failed)
    page.get_by_role("button", name="The way of the first").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("lost: accepted, and seen nowhere afterwards")
    hops = dialog.locator(".way > li")
    texts = [hop.inner_text() for hop in hops.all()]
    assert any("Keep called s3.PutObject: SlowDown" in text and "met slow-down" in text for text in texts)
    assert any("Keep was invoked: succeeded" in text for text in texts)
    dialog.get_by_text("log").first.click()
    expect(dialog.locator("pre").first).to_contain_text("START RequestId")
    record = dialog.locator("h2").inner_text()
    address = page.url.partition("#")[2]
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    # The address leads a colleague to it.
    expect(opened(failed, f"#{address}").get_by_role("dialog").locator("h2")).to_have_text(record)


def test_all_of_it_can_be_done_with_the_keyboard(failed, opened):
    page = opened(failed)
    focused = page.locator(":focus")
    for _ in range(60):
        page.keyboard.press("Tab")
        if (focused.get_attribute("aria-label") or "").startswith("5 records: accepted to lost"):
            break
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(5)
    for _ in range(10):
        page.keyboard.press("Tab")
        if focused.get_attribute("aria-haspopup") == "dialog":
            break
    name = focused.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("h2")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(focused).to_have_text(name)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Reports of a run that passed, of one without a verdict, and of one that was not reconciled."""
    directories = {name: tmp_path_factory.mktemp(name) for name in ("pass", "unknown", "early")}
    left_run(directories["pass"], [STORED] * 50, judgement=Judgement.PASS)
    left_run(directories["unknown"], [STORED] * 50 + [LOST], judgement=Judgement.UNKNOWN)
    left_run(directories["early"], [STORED] * 50, judgement=Judgement.UNKNOWN)
    for name in ("ledger", "observations", "outcomes", "anomalies"):
        (directories["early"] / f"{name}.parquet").unlink()
    return {name: write_report(directory) for name, directory in directories.items()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["fail", "pass", "unknown", "early"])
def test_nobody_is_kept_out(failed, others, opened, name, width, scheme):
    page = opened({"fail": failed, **others}[name], width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    if page.locator("#records tbody button").count():
        page.locator("#records tbody button").first.click()
        found += Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [
        (one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found if one["impact"] in ("serious", "critical")
    ] == []


@pytest.mark.parametrize("width", [1280, 360])
def test_a_page_of_many_runs_leads_to_their_reports(failed, opened, width):
    path = failed.parents[1] / "history.html"
    code, said, _ = pipeproof(failed.parents[2], "history", "--html", path)
    assert code == 0, said
    page = opened(path, width=width, until="#scenario-0-title")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.get_by_role("link", name=re.compile("20")).first.click()
    expect(page.locator("header")).to_contain_text("5 of 60 records lost")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The page that `pipeproof explore` has left of a search that found the swallowed error."""
    directory = tmp_path_factory.mktemp("searched")
    write_project(directory)
    exit_code, said, _ = pipeproof(directory, "explore", "orders.yaml", "--records", "12", "--schedules", "3")
    assert exit_code == 1, said
    (path,) = (directory / "runs").glob("*-explore-orders/search.html")
    assert f"Report: {path.resolve()}" in said
    return path.resolve()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_of_a_search_says_what_was_tried_and_leads_to_the_report_of_a_finding(searched, opened, width):
    page = opened(searched, width=width, until="#schedules-title")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    expect(page.locator("header")).to_contain_text("1 finding: orders")
    expect(page.locator("header")).to_contain_text("3 schedules tried")
    expect(page.locator(".cluster h3")).to_have_text("1. error AccessDenied of Keep → s3.PutObject of Stored, call 1")
    expect(page.locator(".cluster")).to_contain_text("10 of 10 runs")
    place = page.locator(".coverage tbody tr", has_text="Keep → s3.PutObject of Stored")
    expect(place.locator("td.hurt").first).to_contain_text("lost")
    page.get_by_role("link", name="report").click()
    expect(page.locator("header")).to_contain_text("1 of 12 records lost")
    assert len(list(searched.parent.glob("*-orders*"))) == 1, "of a finding one run is kept"


@pytest.mark.skipif(NPM is None, reason="no npm here")
def test_the_libraries_are_those_of_their_packages(tmp_path):
    for name in ("package.json", "package-lock.json"):
        shutil.copy(VENDOR / name, tmp_path)
    subprocess.run([NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=tmp_path, check=True, capture_output=True)
    packaged = {path.name: path for path in tmp_path.glob("node_modules/*/dist/*")}
    scripts = [path for path in VENDOR.iterdir() if path.suffix in {".js", ".css"}]
    assert len(scripts) == 4
    for path in scripts:
        assert path.read_bytes() == packaged[path.name].read_bytes(), path.name


def test_a_report_of_many_records_is_small_and_has_every_anomaly(tmp_path, opened):
    left_run(tmp_path, ([STORED] * 332 + [LOST]) * 300)
    path = write_report(tmp_path)
    assert path.stat().st_size <= MOST_BYTES
    page = opened(path)
    expect(page.locator("#records")).to_contain_text("Of 99,900 offered records this file keeps all 300 with an anomaly")
