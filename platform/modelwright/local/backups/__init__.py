"""Backups of an installation: what it holds, by content, and a manifest that names all of it. No Django."""
