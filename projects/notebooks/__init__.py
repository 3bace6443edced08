"""Jupyter notebooks as pages show them: read as data, each output cleaned, nothing of theirs runs or loads anything."""

from projects.notebooks.reading import Cell, Notebook, read_notebook

__all__ = ["Cell", "Notebook", "read_notebook"]
