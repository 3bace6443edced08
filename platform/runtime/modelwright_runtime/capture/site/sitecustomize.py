"""Python imports this at its start, because the platform puts this folder on the path of every run.

It switches capture on and then runs the `sitecustomize` that it stands in front of.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _switch_on() -> None:
    try:
        from modelwright_runtime.capture.hook import install

        install()
    except Exception:  # noqa: S110 - a program runs without capture rather than not at all
        pass


def _run_next() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_switch_on()
_run_next()
