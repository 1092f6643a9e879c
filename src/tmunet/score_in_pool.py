"""Score the images of a data set on other processes or machines: each reads, predicts and scores a part of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import check_range, to_channels
from tmunet.data.io.palettes import Legend
from tmunet.data.reader import CaseError, load_case
from tmunet.errors import InputError, UsageError
from tmunet.machines.pool import ONE_AT_A_TIME, Pool, check_shared, split_parts
from tmunet.metrics import CaseScores, Protocol, Spacing
from tmunet.prediction.confidence import Confidence
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.predictor_settings import PredictorSettings
from tmunet.score_case import score_case


@dataclass(frozen=True)
class ScoredCase:
    """What a worker returns of a case: its scores, and what is checked over all cases; the image stays there.

    Attributes:
        fault: why the image cannot be scored by this model, such as its channels; None if it was.
        image_sha256: `pixels_sha256` of the image.
        mask: reference (H, W).
        legend: of the mask file, if it has a palette.
        shift: with this image.
        scores: by class.
        confidence: of the predicted mask.
    """

    fault: str | None
    image_sha256: str
    mask: NDArray[np.uint8]
    legend: Legend | None
    shift: DomainShift
    scores: dict[str, CaseScores]
    confidence: Confidence


def score_in_pool(
    pool: Pool,
    predictor: Predictor,
    dataset: Dataset,
    cases: Sequence[Case],
    protocol: Protocol,
    spacings: Sequence[Spacing] | None,
) -> Iterator[ScoredCase | CaseError]:
    """Score parts of the cases on workers; yields the result of each case, or its faults, in order.

    Args:
        pool: of workers that share the disk.
        predictor: the model, which the workers load by its folder or name.
        dataset: of the cases, which are files.
        cases: to score.
        protocol: of the metrics.
        spacings: (row, column) of each case in mm; None measures in pixels.

    Raises:
        UsageError: cases or model are in memory only.
        InputError: a worker does not see the files.
        WorkerError: workers were lost again and again.
    """
    if any(case.arrays is not None for case in cases):
        raise UsageError("Expected images in files, which workers can read, but got arrays.", code="in-memory")
    absolute = [replace(case, image=case.image.absolute(), mask=case.mask and case.mask.absolute()) for case in cases]
    parts = split_parts(list(zip(absolute, spacings or [(1.0, 1.0)] * len(cases), strict=True)), pool.workers)
    for part in pool.map(partial(_score_part, PredictorSettings.of(predictor), dataset.info, protocol), parts):
        yield from part


def _score_part(
    settings: PredictorSettings, info: DatasetInfo, protocol: Protocol, part: Sequence[tuple[Case, Spacing]]
) -> list[ScoredCase | CaseError]:
    """Score cases in a worker."""
    check_shared(part[0][0].image.parent)
    with ONE_AT_A_TIME:
        predictor = settings.create()
        found: list[ScoredCase | CaseError] = []
        for case, spacing in part:
            try:
                found.append(_score_file(predictor, case, info, protocol, spacing))
            except CaseError as error:
                found.append(error)
        return found


def _score_file(
    predictor: Predictor, case: Case, info: DatasetInfo, protocol: Protocol, spacing: Spacing
) -> ScoredCase:
    loaded, shift = load_case(case, info), DomainShift(predictor.config, predictor.tile_size)
    scores: dict[str, CaseScores] = {}
    fault, confidence = None, Confidence(0.0, 0.0, None, None, ())
    try:
        check_range(case.image, loaded.has_known_range, predictor.config.preprocess.normalize)
        pixels = predictor.pipeline.load(to_channels(loaded.image, predictor.config.preprocess.channels))
        shift.add(str(case.image), pixels)
        one = loaded if protocol.size is not None else replace(loaded, image=pixels)
        scores, confidence = score_case(predictor, one, info.classes, protocol, spacing)
    except InputError as error:
        fault = str(error)
    return ScoredCase(fault, pixels_sha256(loaded.image), loaded.mask, loaded.legend, shift, scores, confidence)
