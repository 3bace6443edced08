"""Jobs, runs, schedules, and the tracking of what runs log."""
