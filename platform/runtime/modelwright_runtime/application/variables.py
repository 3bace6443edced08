"""What an application is told: its port, under the names that the usual frameworks read."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
# Everything that asks for a port in its own words: Flask's `flask run`, Dash, Streamlit, Gradio, and whatever was
# written for CDSW.
_PORTS = (
    "MODELWRIGHT_APP_PORT",
    "CDSW_APP_PORT",
    "PORT",
    "FLASK_RUN_PORT",
    "STREAMLIT_SERVER_PORT",
    "GRADIO_SERVER_PORT",
)
_ADDRESSES = ("HOST", "FLASK_RUN_HOST", "STREAMLIT_SERVER_ADDRESS", "GRADIO_SERVER_NAME")
_ALWAYS = {
    "STREAMLIT_SERVER_HEADLESS": "true",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "GRADIO_ANALYTICS_ENABLED": "False",
    # Reloaders watch files that do not change here, and start a second process.
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
}


def variables(port: int, url: str) -> dict[str, str]:
    """The variables of an application that listens at `port`, and that people see at `url` (empty: nowhere)."""
    told = {**dict.fromkeys(_PORTS, str(port)), **dict.fromkeys(_ADDRESSES, LOOPBACK), **_ALWAYS}
    host = urlsplit(url).hostname
    if host:
        # Streamlit takes WebSockets of pages of that name alone.
        told |= {"MODELWRIGHT_APP_URL": url, "STREAMLIT_BROWSER_SERVER_ADDRESS": host}
    return told
