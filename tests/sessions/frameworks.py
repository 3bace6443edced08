"""The first example of the documents of each framework, as it stands there, and an environment that has them all."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("flask==3.1.3", "streamlit==1.67.0", "dash==4.4.1", "gradio==6.31.0")
FLASK = """
from flask import Flask

app = Flask(__name__)

@app.route("/")
def hello_world():
    return "<p>Hello, World!</p>"
"""
STREAMLIT = """
import streamlit as st

x = st.slider('x')  # this is a widget
st.write(x, 'squared is', x * x)
"""
DASH = """
from dash import Dash, html

app = Dash()

# Requires Dash 2.17.0 or later
app.layout = [html.Div(children='Hello World')]

if __name__ == '__main__':
    app.run(debug=True)
"""
GRADIO = """
import gradio as gr

def greet(name, intensity):
    return "Hello, " + name + "!" * int(intensity)

demo = gr.Interface(
    fn=greet,
    inputs=["text", "slider"],
    outputs=["text"],
)

demo.launch()
"""


@functools.cache
def python() -> str:
    """A Python with the frameworks; building it takes a minute, once on a machine."""
    digest = hashlib.sha256("\n".join(PACKAGES).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"modelwright-test-frameworks-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = str(folder / "bin" / "python")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
            for command in (
                ["uv", "venv", "--allow-existing", "--python", "3.11", str(folder)],
                ["uv", "pip", "install", "--compile-bytecode", "--python", found, *PACKAGES],
            ):
                subprocess.run(command, check=True, capture_output=True, env=environment, timeout=280)
            (folder / "ready").touch()
    return found
