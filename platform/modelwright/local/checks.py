"""`./modelwright test`: every check of the project."""


def main(arguments: list[str]) -> int:
    raise SystemExit(arguments)
