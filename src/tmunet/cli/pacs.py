"""`tmunet pacs`: segment a study of a DICOMweb archive (PACS)."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.errors import UsageError
from tmunet.prediction.backends.names import TORCH, BackendName, Keep, Precision
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.pacs.dicomweb import Archive
    from tmunet.pacs.study import SegmentedStudy, StudyPlan


@dataclass(frozen=True)
class PacsConfig:
    """Segment the images of a study in an archive by DICOMweb, and store the segmentations there. Without --to it is a dry run:
    what would be stored is listed, no image is retrieved, and nothing is written or sent.
    """

    from_: str
    """URL of the DICOMweb service that holds the study, such as https://pacs.example.org/dicom-web."""
    study: str
    """Study Instance UID."""
    to: str | None = None
    """URL of the DICOMweb service to store the segmentations in; often the same."""
    model: list[str] = field(default_factory=list)
    """Run or model folder, or user/name on the Hugging Face Hub; by default nuclei-t. Given several times, the probabilities are
    averaged."""
    out: str = "segmentations"
    """Folder of the segmentations, with patient data in them; an interrupted call resumes there."""
    format: Literal["dicom-seg", "dicom-labelmap"] = "dicom-seg"
    """As for predict."""
    token_file: str | None = None
    """File with the token of --from, and of --to if that is on the same server: a bearer token, or 'Basic' and its value."""
    to_token_file: str | None = None
    """File with the token of --to."""
    client_cert: str | None = None
    """PEM file with the certificate of this client and its key."""
    max_instances: int = 1000
    """Largest study, in instances."""
    max_mb: int = 512
    """Largest instance to retrieve, in MB."""
    tile_size: int | None = None
    """As for predict."""
    tta: bool = False
    """As for predict."""
    backend: BackendName = TORCH
    """As for predict."""
    batch_size: int = 8
    """Images in one call of the network."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the network; tf32 on cuda only."""
    threshold: float | None = None
    """As for predict."""
    fill_holes: bool = False
    """As for predict."""
    min_size: int = 0
    """As for predict."""
    keep: Keep = "all"
    """As for predict."""
    window: str = "file"
    """As for predict."""


def run(arguments: Sequence[str]) -> int:
    """List what would be stored, or segment and store, and list the images that could not be."""
    config = parse(PacsConfig, arguments, "pacs")
    for name in ("max_instances", "max_mb", "batch_size"):
        if (value := getattr(config, name)) < 1:
            raise UsageError(f"Expected --{name.replace('_', '-')} to be at least 1, but got {value}.", code="value")
    prepare_process()
    from tmunet.formats.dicom_image import parse_window
    from tmunet.pacs.dicomweb import check_uid
    from tmunet.pacs.study import lacking_tags, plan_study, segment_study
    from tmunet.prediction.dicom_files import DicomOptions
    from tmunet.prediction.predictor import DEFAULT_MODEL, Predictor

    check_uid(config.study, "study")  # before the model is loaded
    options = DicomOptions(config.format, parse_window(config.window))
    source, target = _open_archives(config)
    if not config.model:
        print(f"No model was named: using {DEFAULT_MODEL}, trained on nuclei. Name yours with -m.", file=sys.stderr)
    predictor = Predictor(
        config.model or [DEFAULT_MODEL],
        tile_size=config.tile_size,
        tta=config.tta,
        backend=config.backend,
        device=config.device,
        precision=config.precision,
        threshold=config.threshold,
        keep=config.keep,
        fill_holes=config.fill_holes,
        min_size=config.min_size,
    )
    plan = plan_study(source, target, config.study, predictor, options, config.max_instances)
    print(_format_plan(plan))
    if config.to is None:
        for tag, number in lacking_tags(source, plan).items():
            print(f"{tag} is lacking in {pluralize(number, 'image')}, and would be written empty.")
        print("Dry run: nothing was stored. Store by --to URL.")
        return 0
    done = segment_study(predictor, source, target, plan, Path(config.out), options, config.batch_size)
    print(_format_done(done, len(plan.segmentations), target.url, config.out))
    for fault in done.faults:
        print(f"  - {fault}", file=sys.stderr)
    return 3 if done.faults else 0


def _open_archives(config: PacsConfig) -> "tuple[Archive, Archive]":
    """The archive of the images and that of the segmentations, which may be one; a token is sent to its own server only."""
    from tmunet.pacs.dicomweb import Archive
    from tmunet.pacs.http_session import Credentials, check_url, origin, read_token

    certificate = None if config.client_cert is None else Path(config.client_cert)
    if config.to_token_file is not None and config.to is None:
        raise UsageError("Expected --to with --to-token-file.", code="flags")
    token = None if config.token_file is None else read_token(Path(config.token_file))
    max_bytes = config.max_mb * 10**6
    source = Archive(config.from_, Credentials(token, certificate), max_bytes=max_bytes)
    if config.to is None or (check_url(config.to) == source.url and config.to_token_file is None):
        return source, source
    own = token if origin(config.to) == origin(config.from_) else None
    if config.to_token_file is not None:
        own = read_token(Path(config.to_token_file))
    return source, Archive(config.to, Credentials(own, certificate), max_bytes=max_bytes)


def _format_plan(plan: "StudyPlan") -> str:
    count = len(plan.segmentations)
    lines = [
        f"{pluralize(count, 'image')} in this study, {count - len(plan.waiting):,} of them segmented there already."
    ]
    series = Counter((one.image.series, one.image.modality, one.series) for one in plan.waiting)
    lines += [
        f"  series {source} ({modality or 'no modality'}): {pluralize(number, 'segmentation')} to store, as series {target}"
        for (source, modality, target), number in series.items()
    ]
    lines += [f"  left out: {number:,} of the kind {kind}" for kind, number in sorted(plan.left_out.items())]
    return "\n".join(lines)


def _format_done(done: "SegmentedStudy", total: int, url: str, out: str) -> str:
    before = f", {done.written_before:,} of them from before" if done.written_before else ""
    return (
        f"{pluralize(done.stored, 'segmentation')} stored in {url}{before}; {done.stored_before:,} of {total:,} were there. "
        f"Copies with patient data: {out}"
    )
