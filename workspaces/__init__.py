"""Workspaces: members, quotas, data connections."""
