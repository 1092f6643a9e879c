"""A number of things, in words."""


def counted(number: int, noun: str) -> str:
    """Write a number of things: ``"1 case"``, ``"1,204 cases"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
