"""The watcher's loops: which ticks run, and how often. The one place where rooms are polled in turn."""
