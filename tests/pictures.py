"""`python -m tests.pictures`: runs three scenarios and takes the pictures of their reports that docs/ shows: pass, fail and unknown, wide and narrow, light and dark."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from harness.report.html.page import write_report
from tests.e2e.swallowing import SCENARIO, write_project

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTHS = (1280, 360)
HEIGHT = 1500
# One fault hurts, one never fires, and without any all is well.
FAULTS = {
    "pass": "",
    "fail": '\nfaults: [{kind: throttle, id: slow-down, service: s3, operation: PutObject, calls: "101-111"}]\n',
    "unknown": '\nfaults: [{kind: throttle, id: never, service: s3, operation: PutObject, calls: "90000"}]\n',
}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        write_project(Path(scratch))
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for verdict, faults in FAULTS.items():
            Path(scratch, "orders.yaml").write_text(SCENARIO + faults)
            command = [
                sys.executable,
                "-m",
                "harness",
                "run",
                "orders.yaml",
                "--records",
                "400",
                "--emulator",
                "embedded",
                "--quiet",
            ]
            subprocess.run(command, cwd=scratch, check=False)
            report = write_report(Path(scratch, "runs", "latest").resolve())
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
                    page.goto(report.as_uri())
                    page.locator("#environment-title").wait_for()
                    page.screenshot(path=IMAGES / f"{verdict}-{width}-{scheme}.png")
                    page.close()
        browser.close()


if __name__ == "__main__":
    main()
