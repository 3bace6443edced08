"""Words for points."""


def grade(points: float) -> str:
    """`good` or `poor`."""
    return "good" if points >= 50 else "poor"
