"""Python imports this at its start, because the platform puts this folder on the path of every run.

It switches capture on and then imports the `sitecustomize` that it stands in front of.
"""

import os
import sys


def _switch_on() -> None:
    try:
        from modelwright_runtime.capture.hook import install

        install()
    except Exception:  # noqa: S110 - a program runs without capture rather than not at all
        pass


def _import_next() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    whole, own = sys.path[:], sys.modules.pop(__name__)
    sys.path[:] = [path for path in whole if os.path.abspath(path) != here]
    try:
        # By now another one, or none.
        __import__(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = own
    finally:
        sys.path[:] = whole


_switch_on()
_import_next()
