"""Words of a path that say what a file is: image or mask, train, val or test, first or second observer, left or right."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

IMAGE_WORDS = frozenset(
    "image images img imgs original originals orig input inputs photo photos scan scans picture pictures dermoscopic "
    "frame frames imagestr imagests".split()
)
MASK_WORDS = frozenset(
    "mask masks label labels labelcol lbl lbls gt gts truth truths groundtruth groundtruths annotation annotations annot "
    "annots anno annos seg segs segmentation segmentations segmented lesion target targets matte manual".split()
)
SUBSET_WORDS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
}
GROUP_WORDS = frozenset("patient patients pat subject subjects slide slides video videos sequence seq".split())
EXTRA_WORDS = frozenset(
    "superpixel superpixels overlay overlays preview previews thumbnail thumbnails thumb roi rois fov heatmap heatmaps "
    "skeleton skeletons bbox".split()
)
"""Of pictures that are neither image nor mask."""
SIDE_WORDS = frozenset(("left", "right"))
_FORMATS = frozenset(("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "ppm"))
_NEUTRAL = _FORMATS | {"folder", "data", "dataset", "set", "ground", "files", "the", "of", "with"}
_OBSERVER = re.compile(
    r"(?i)[_ .-]?(?:(?P<first>1st|2nd)[_ .-]?(?:manual|ho|observer)|(?:manual|observer|expert)[_ .-]?(?P<number>[12]))"
)
_RANKS = {"1st": 1, "2nd": 2, "1": 1, "2": 2}
# CamelCase is several words, but a plural of capitals such as `GTs` is one
_WORD = re.compile(r"[A-Z]+s(?![a-z])|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_]+")


@dataclass(frozen=True)
class Words:
    """Words of a folder or of the stem of a file.

    Attributes:
        all: in lower case, in order, without those of `observer`.
        before_mask: those before the first word for masks; `all` if there is none.
        observer: 1 or 2 if it names the first or second person who drew the masks, or None.
    """

    all: tuple[str, ...]
    before_mask: tuple[str, ...]
    observer: int | None = None

    @property
    def is_mask(self) -> bool:
        """Whether a word or an observer says that it is a mask."""
        return self.observer is not None or not MASK_WORDS.isdisjoint(self.all)

    @property
    def is_image(self) -> bool:
        """Whether a word says that it is an image, and none that it is a mask."""
        return not self.is_mask and not IMAGE_WORDS.isdisjoint(self.all)

    @property
    def is_extra(self) -> bool:
        """Whether a word says that it is neither image nor mask."""
        return not EXTRA_WORDS.isdisjoint(self.all)

    @property
    def subset(self) -> str | None:
        """Subset that a word says: "train", "val" or "test"; None without one."""
        return next((SUBSET_WORDS[word] for word in self.all if word in SUBSET_WORDS), None)

    @property
    def is_group(self) -> bool:
        """Whether a word says that it is a patient, a slide or a video."""
        return not GROUP_WORDS.isdisjoint(self.all)


@lru_cache(maxsize=200_000)
def words_of(text: str) -> Words:
    """Split a folder name or a stem into its words.

    >>> words_of("Test_Image_7").all, words_of("21_manual1")
    (('test', 'image', '7'), Words(all=('21',), before_mask=('21',), observer=1))
    """
    text = unicodedata.normalize("NFC", text)
    match = _OBSERVER.search(text)
    observer = None if match is None else _RANKS[(match["first"] or match["number"]).lower()]
    if match is not None:
        text = f"{text[: match.start()]} {text[match.end() :]}"
    found = tuple(word.lower() for word in _WORD.findall(text))
    place = next((place for place, word in enumerate(found) if word in MASK_WORDS), len(found))
    return Words(found, found[:place], observer)


def names_of(words: tuple[str, ...], subset: bool) -> tuple[str, ...]:
    """Leave out the words for roles; `subset` keeps those for train, val and test.

    >>> names_of(words_of("Test_Image_7").all, subset=False)
    ('7',)
    """
    roles = IMAGE_WORDS | MASK_WORDS | _NEUTRAL
    return tuple(word for word in words if word not in roles and (subset or word not in SUBSET_WORDS))


def is_role(text: str) -> bool:
    """Whether a folder name or a stem holds no other words than those for roles and for train, val and test."""
    return not names_of(words_of(text).all, subset=True)


def subset_of(path: PurePosixPath) -> str | None:
    """The subset that a path says, of its folders (the innermost first) or its stem."""
    for part in (*reversed(path.parent.parts), path.stem):
        if (subset := words_of(part).subset) is not None:
            return subset
    return None
