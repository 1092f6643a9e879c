"""Train and predict with nnU-Net, step by step; a step that is done is not repeated."""

from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError
from tmunet.files import sha256, write_bytes, write_json
from tmunet_lab.nnunet.label_files import is_current, write_masks
from tmunet_lab.nnunet.programs import Programs
from tmunet_lab.nnunet.raw_export import RawDataset, write_nnunet
from tmunet_lab.nnunet.resources import Machine, programs_of
from tmunet_lab.nnunet.workspace import CONFIGURATION, FOLD, NUMBER, Workspace


def train(workspace: Workspace, machine: Machine) -> None:
    """Write the raw data set, plan and preprocess, and train nnU-Net's 2D network on our train and val sides.

    Raises:
        MissingExtraError: nnU-Net is not installed; the message has the commands.
        ProgramError: one of its programs failed.
        DataError: all faults of the data set.
        InputError: the split has no val or no test side, or is not the one that the workspace was begun with.
    """
    programs = programs_of(workspace, machine)
    programs.find("nnUNetv2_train")
    if workspace.dataset_folder is None:
        machine.show(str(_write_raw(workspace, workspace.open_dataset())))
    _plan(workspace, machine, programs)
    _fit(workspace, machine, programs)


def _write_raw(workspace: Workspace, dataset: Dataset) -> RawDataset:
    for side in ("val", "test"):
        if not dataset.subset(side):
            raise InputError(
                f"{dataset.folder}: the split has no {side} images. nnU-Net would choose its own instead of the val ones, "
                "and there would be nothing to score without test ones. Make a split with: tmunet split"
            )
    faults: list[str] = []
    seen = TrainingFingerprint(_hashes(dataset, "train", faults), _hashes(dataset, "val", faults))
    if faults:
        raise DataError(str(dataset.folder), faults)
    write_json(workspace.seen, seen.to_dict())
    write_json(workspace.sources, {case.name: sha256(case.image) for case in dataset.subset("test")})
    return write_nnunet(dataset, workspace.folder / "raw", NUMBER)


def _hashes(dataset: Dataset, side: str, faults: list[str]) -> dict[str, str]:
    """`pixels_sha256` of each image of a side, by the name of its case."""
    cases, hashes = dataset.subset(side), {}

    def note(index: int, loaded: LoadedCase) -> None:
        hashes[cases[index].name] = pixels_sha256(loaded.image)

    faults += map_cases(cases, dataset.info, note)
    return hashes


def _plan(workspace: Workspace, machine: Machine, programs: Programs) -> None:
    if workspace.planned.is_file():
        machine.show("Planning and preprocessing were done before.")
        return
    dataset = workspace.dataset_folder
    assert dataset is not None
    words = ["-d", str(NUMBER), "-c", CONFIGURATION, "-np", machine.workers, "-npfp", machine.workers]
    words += ["--verify_dataset_integrity", "--no_pbar"]
    if workspace.record.memory is not None:
        words += ["-gpu_memory_target", f"{workspace.record.memory:g}", "-overwrite_plans_name", workspace.plans]
    programs.run("nnUNetv2_plan_and_preprocess", words, workspace.log("plan"))
    folds = workspace.folder / "preprocessed" / dataset.name / "splits_final.json"
    write_bytes(folds, (dataset / "splits_final.json").read_bytes())  # without it nnU-Net makes a split of its own
    write_json(workspace.planned, programs.versions())


def _fit(workspace: Workspace, machine: Machine, programs: Programs) -> None:
    result = workspace.result
    assert result is not None
    if workspace.checkpoint and (result / "validation" / "summary.json").is_file():
        machine.show("Training was done before.")
        return
    words = [str(NUMBER), CONFIGURATION, str(FOLD), "-tr", workspace.record.trainer, "-p", workspace.plans]
    words += ["-device", machine.device]
    if workspace.checkpoint:
        words.append("--val")  # the weights are final, but their validation was interrupted
    elif any(result.glob("checkpoint_*.pth")):
        words.append("--c")
    programs.run("nnUNetv2_train", words, workspace.log("train"))
    if workspace.checkpoint is None:
        raise InputError(
            f"nnUNetv2_train ended without an error, but there is no {result / 'checkpoint_final.pth'}; see "
            f"{workspace.log('train')}."
        )


def predict(workspace: Workspace, machine: Machine) -> int:
    """Write the masks of the test images into the workspace; returns how many there are.

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
            "`tmunet nnunet train` that began it; it goes on where it stopped."
        )
    if all(is_current(workspace, case.name) for case in cases):
        machine.show("All masks were there before.")
        return len(cases)
    words = ["-i", str(workspace.dataset_folder / "imagesTs"), "-o", str(workspace.predicted), "-d", str(NUMBER)]
    words += ["-c", CONFIGURATION, "-f", str(FOLD), "-tr", workspace.record.trainer, "-p", workspace.plans]
    words += ["-device", machine.device, "-npp", machine.workers, "-nps", machine.workers]
    programs_of(workspace, machine).run(
        "nnUNetv2_predict", [*words, "--continue_prediction", "--disable_progress_bar"], workspace.log("predict")
    )
    write_masks(workspace, [case.name for case in cases], dataset.info.classes)
    return len(cases)
