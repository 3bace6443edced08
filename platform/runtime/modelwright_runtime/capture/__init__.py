"""What a run's processes read and wrote, noted from inside them. Standard library only."""
