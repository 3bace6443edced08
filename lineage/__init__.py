"""What came from what: nodes and edges, appended and never changed. Names, never foreign keys to the rooms above."""
