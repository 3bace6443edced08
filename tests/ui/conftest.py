"""The browser's fixtures for this folder."""

from tests.ui.fixtures import browser, dark_page, narrow_page, page

__all__ = ["browser", "dark_page", "narrow_page", "page"]
