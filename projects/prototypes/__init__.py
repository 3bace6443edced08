"""The catalogue of prototypes: whole projects to start from. Their code runs in runs only, never here."""

from projects.prototypes.loading import Prototype, blank_files, get_prototype, list_prototypes

__all__ = ["Prototype", "blank_files", "get_prototype", "list_prototypes"]
