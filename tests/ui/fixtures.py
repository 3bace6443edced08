"""Fixtures of the browser, a plugin that tests/conftest.py names, so that there is one of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ui.browser import AXE, CHROMIUM, FLAGS, NARROW, TIMEOUT_MS, WIDE, watch


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for a module. Its event loop must not outlive it: other tests run their own."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: install Debian's chromium, or set MODELWRIGHT_CHROMIUM.")
    if not AXE.exists():
        pytest.fail(f"{AXE} is missing: run `npm ci --ignore-scripts`.")
    # Playwright's synchronous interface keeps an event loop in this thread, and Django would refuse its database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    # What is waited for comes later on a busy machine than in Playwright's own five seconds.
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def _page(browser: Browser, size: dict[str, int], scheme: str) -> Iterator[Page]:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    watch(page)
    yield page
    context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a desktop's width."""
    yield from _page(browser, WIDE, "light")


@pytest.fixture
def narrow_page(browser: Browser) -> Iterator[Page]:
    """A page of a telephone's width."""
    yield from _page(browser, NARROW, "light")


@pytest.fixture
def dark_page(browser: Browser) -> Iterator[Page]:
    """A page for a person who prefers dark colours."""
    yield from _page(browser, WIDE, "dark")
