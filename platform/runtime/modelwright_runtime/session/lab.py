"""JupyterLab: how it is started, and what it says of itself."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from modelwright_runtime.session.git import credentials
from modelwright_runtime.session.hooks import SAVED
from modelwright_runtime.session.orders import Orders

ASK_SECONDS = 10
# What we add to its pages.
EXTENSIONS = Path(__file__).with_name("lab_extension")
# Nobody is asked whether Lab may fetch news from outside; who wants them switches them on.
OVERRIDES = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


@dataclass(frozen=True)
class Activity:
    """When somebody last did something, in seconds since 1970; and whether a kernel is at work."""

    last: float
    is_busy: bool
    kernels: int
    terminals: int


def start_lab(orders: Orders, python: Path) -> subprocess.Popen[bytes]:
    """Start it. Nobody but the platform reaches its socket, so it asks for no token of its own."""
    return subprocess.Popen(
        [str(python), "-m", "modelwright_runtime.session.run_lab", *_options(orders)],
        cwd=orders.tree,
        env=_environment(orders, python),
        stdin=subprocess.DEVNULL,
    )


def _options(orders: Orders) -> list[str]:
    settings = orders.private / "jupyter.json"
    settings.write_text(json.dumps(_settings(orders)))
    _lab_settings(orders).mkdir(exist_ok=True)
    (_lab_settings(orders) / "overrides.json").write_text(json.dumps(OVERRIDES))
    return ["--no-browser", "--allow-root", f"--config={settings}"]


def _lab_settings(orders: Orders) -> Path:
    return orders.private / "lab"


def _settings(orders: Orders) -> dict[str, dict[str, Any]]:
    shell = ["/bin/bash"] if Path("/bin/bash").exists() else ["/bin/sh"]
    if orders.records_commands and shell == ["/bin/bash"]:
        shell += ["--rcfile", str(orders.private / "bashrc")]
    return {
        "ServerApp": {
            "sock": str(orders.socket),
            "sock_mode": "0600",
            "root_dir": str(orders.tree),
            # The name under which the proxy was asked is another than ours.
            "allow_remote_access": True,
            "quit_button": False,
            "terminado_settings": {"shell_command": shell},
            # Neither language servers nor the classic notebook are there; looking for them takes time.
            "jpserver_extensions": {
                "jupyterlab": True,
                "jupyter_server_terminals": True,
                "jupyter_lsp": False,
                "notebook_shim": False,
            },
        },
        # The proxy has found out who it is.
        "IdentityProvider": {"token": ""},
        "FileContentsManager": {
            "delete_to_trash": False,
            "post_save_hook": "modelwright_runtime.session.hooks.saved",
        },
        "LabApp": {
            "app_settings_dir": str(_lab_settings(orders)),
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
            "extra_labextensions_path": [str(EXTENSIONS)],
        },
    }


def _environment(orders: Orders, python: Path) -> dict[str, str]:
    # Where the packages of this Python put their files: its own folder, except where a distribution has another.
    ours = Path(sysconfig.get_paths()["data"])
    given = {
        **os.environ,
        **credentials(orders.url, orders.token),
        "PATH": f"{python.parent}:{ours / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(python.parents[1]),
        "JUPYTER_PATH": str(ours / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(ours / "etc" / "jupyter"),
        "JUPYTERLAB_DIR": str(ours / "share" / "jupyter" / "lab"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        SAVED: str(orders.private / "saved"),
    }
    if orders.records_commands:
        given["IPYTHONDIR"] = str(orders.private / "ipython")
    return given


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ASK_SECONDS)
        self._path = path

    def connect(self) -> None:
        """To the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ASK_SECONDS)
        self.sock.connect(str(self._path))


def ask(path: Path, what: str) -> Any:
    """What Lab answers to a GET. Raises OSError, ValueError and http.client.HTTPException."""
    connection = _Connection(path)
    try:
        connection.request("GET", what)
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{what} answered {answer.status}")
        return json.loads(answer.read())
    finally:
        connection.close()


def activity(path: Path) -> Activity:
    """What its kernels and terminals say. Whether a page is open does not count. Raises as `ask` does."""
    kernels: Sequence[dict[str, Any]] = ask(path, "/api/kernels?no_track_activity=1")
    terminals: Sequence[dict[str, Any]] = ask(path, "/api/terminals?no_track_activity=1")
    times = [_seconds(one.get("last_activity")) for one in (*kernels, *terminals)]
    return Activity(
        last=max(times, default=0.0),
        is_busy=any(one.get("execution_state") == "busy" for one in kernels),
        kernels=len(kernels),
        terminals=len(terminals),
    )


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
