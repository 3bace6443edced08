"""The data plane: keys, validation, batching and the spool. No Django here."""

import os
import sys
from pathlib import Path

# What `native.py` made of some of the modules here, where somebody did.
if _native := os.environ.get("MODELWRIGHT_NATIVE"):
    sys.path.insert(0, _native)
    __path__.insert(0, str(Path(_native, "models", "gateway")))
