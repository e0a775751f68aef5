"""Playwright visits the browser at a URL with headers: `python visit.py URL HEADERS`."""

import json
import sys

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.connect_over_cdp(sys.argv[1], headers=json.loads(sys.argv[2]))
    page = browser.contexts[0].new_page()
    page.goto("data:text/html,<title>visited</title><h1>here</h1>")
    page.wait_for_timeout(500)  # to be seen in the film
    sys.stdout.write(json.dumps({"title": page.title()}))
    browser.close()
