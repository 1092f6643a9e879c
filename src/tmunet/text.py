"""A number of things, in words."""

KINDS = "video sequence, patient, slide"
"""What a group of images can be."""


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: ``"1 case"``, ``"1,204 cases"``; the plural is given where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def resampling_unit(images: int, groups: int | None) -> str:
    """Say what a resample is drawn from.

    Args:
        images: their number.
        groups: their number, images of their own among them; None where no group is known.

    Example:
        >>> resampling_unit(122, None), resampling_unit(122, 27)
        ('122 images', '27 groups (video sequence, patient, slide) of 122 images')

    """
    of = pluralize(images, "image")
    return of if groups is None else f"{pluralize(groups, 'group')} ({KINDS}) of {of}"
