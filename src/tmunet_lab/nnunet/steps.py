"""Train and predict with nnU-Net in steps; finished steps are skipped."""

from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError
from tmunet.files import sha256, write_bytes, write_json
from tmunet_lab.nnunet.label_files import is_current, write_masks
from tmunet_lab.nnunet.programs import Programs, Resources, programs_of
from tmunet_lab.nnunet.raw_export import RawDataset, write_nnunet
from tmunet_lab.nnunet.workspace import CONFIGURATION, FOLD, NUMBER, Workspace


def train(workspace: Workspace, resources: Resources) -> None:
    """Write the raw data set, plan and preprocess, and train nnU-Net's 2D network on our train and val subsets.

    Raises:
        MissingExtraError: nnU-Net is not installed; the message has the commands.
        ProgramError: one of its programs failed.
        DataError: all faults of the data set.
        InputError: the split has no val or no test images, or is not the one of the workspace.
    """
    programs = programs_of(workspace, resources)
    programs.find("nnUNetv2_train")
    if workspace.dataset_folder is None:
        resources.show(str(_write_raw(workspace, workspace.open_dataset())))
    _plan(workspace, resources, programs)
    _fit(workspace, resources, programs)


def _write_raw(workspace: Workspace, dataset: Dataset) -> RawDataset:
    for side in ("val", "test"):
        if not dataset.subset(side):
            raise InputError(
                f"{dataset.folder}: the split has no {side} images. nnU-Net would choose its own instead of the val ones, "
                "and there would be nothing to score without test ones. Make a split with: tmunet split",
                code="no-images",
                path=dataset.folder,
            )
    faults: list[str] = []
    fingerprint = TrainingFingerprint(_hashes(dataset, "train", faults), _hashes(dataset, "val", faults))
    if faults:
        raise DataError(str(dataset.folder), faults)
    write_json(workspace.fingerprint, fingerprint.to_dict())
    write_json(workspace.sources, {case.name: sha256(case.image) for case in dataset.subset("test")})
    return write_nnunet(dataset, workspace.folder / "raw", NUMBER)


def _hashes(dataset: Dataset, side: str, faults: list[str]) -> dict[str, str]:
    """Hash the pixels of each image of a subset, by case name."""
    cases, hashes = dataset.subset(side), {}

    def note(index: int, loaded: LoadedCase) -> None:
        hashes[cases[index].name] = pixels_sha256(loaded.image)

    faults += map_cases(cases, dataset.info, note)
    return hashes


def _plan(workspace: Workspace, resources: Resources, programs: Programs) -> None:
    if workspace.planned.is_file():
        resources.show("Skipped: planning and preprocessing are finished.")
        return
    dataset = workspace.dataset_folder
    assert dataset is not None
    arguments = ["-d", str(NUMBER), "-c", CONFIGURATION, "-np", resources.workers, "-npfp", resources.workers]
    arguments += ["--verify_dataset_integrity", "--no_pbar"]
    if workspace.record.memory is not None:
        arguments += ["-gpu_memory_target", f"{workspace.record.memory:g}", "-overwrite_plans_name", workspace.plans]
    programs.run("nnUNetv2_plan_and_preprocess", arguments, workspace.log("plan"))
    folds = workspace.folder / "preprocessed" / dataset.name / "splits_final.json"
    write_bytes(folds, (dataset / "splits_final.json").read_bytes())  # without it nnU-Net makes random folds
    write_json(workspace.planned, programs.versions())


def _fit(workspace: Workspace, resources: Resources, programs: Programs) -> None:
    result = workspace.result
    assert result is not None
    if workspace.checkpoint and (result / "validation" / "summary.json").is_file():
        resources.show("Skipped: training is finished.")
        return
    arguments = [str(NUMBER), CONFIGURATION, str(FOLD), "-tr", workspace.record.trainer, "-p", workspace.plans]
    arguments += ["-device", resources.device]
    if workspace.checkpoint:
        arguments.append("--val")  # the weights are final, but their validation was interrupted
    elif any(result.glob("checkpoint_*.pth")):
        arguments.append("--c")
    programs.run("nnUNetv2_train", arguments, workspace.log("train"))
    if workspace.checkpoint is None:
        raise InputError(
            f"nnUNetv2_train ended without an error, but there is no {result / 'checkpoint_final.pth'}; see "
            f"{workspace.log('train')}.",
            code="no-checkpoint",
            path=result / "checkpoint_final.pth",
        )


def predict(workspace: Workspace, resources: Resources) -> int:
    """Write the masks of the test images into the workspace; return their number.

    Raises:
        InputError: the training is not finished, or nnU-Net left a mask out.
        MissingExtraError: nnU-Net is not installed; the message has the commands.
        ProgramError: its program failed.
    """
    dataset = workspace.open_dataset()
    cases = dataset.subset("test")
    if workspace.checkpoint is None or workspace.dataset_folder is None:
        raise InputError(
            f"{workspace.folder}: the training is not finished: there is no checkpoint_final.pth. Repeat the call of "
            "`tmunet nnunet train` that began it; it goes on where it stopped.",
            code="not-finished",
            path=workspace.folder,
        )
    if all(is_current(workspace, case.name) for case in cases):
        resources.show("Skipped: all masks exist.")
        return len(cases)
    arguments = ["-i", str(workspace.dataset_folder / "imagesTs"), "-o", str(workspace.predicted), "-d", str(NUMBER)]
    arguments += ["-c", CONFIGURATION, "-f", str(FOLD), "-tr", workspace.record.trainer, "-p", workspace.plans]
    arguments += ["-device", resources.device, "-npp", resources.workers, "-nps", resources.workers]
    programs_of(workspace, resources).run(
        "nnUNetv2_predict", [*arguments, "--continue_prediction", "--disable_progress_bar"], workspace.log("predict")
    )
    write_masks(workspace, [case.name for case in cases], dataset.info.classes)
    return len(cases)
