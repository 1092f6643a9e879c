"""`tmunet VERB ...`: run a verb; errors become messages and exit codes."""

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tmunet import __version__
from tmunet.errors import InputError, TMUNetError, TMUNetWarning, UsageError
from tmunet.progress import show_messages

VERBS = {
    "demo": "train, evaluate and predict on the sample images that come with the package",
    "import": "convert a downloaded data set into a data set folder",
    "check": "find faults in a data set: files, masks, duplicates, data leakage",
    "show": "draw a contact sheet of images with their masks",
    "split": "make train, val and test splits without data leakage",
    "train": "train a network on your images and masks",
    "evaluate": "score a trained model, or the masks of any program, against reference masks",
    "predict": "predict the masks of images",
    "loop": "correct the least certain masks, train on with them, and again (active learning)",
    "pacs": "segment a study of a DICOMweb archive, and store the segmentations there",
    "serve": "segment images over HTTP: POST /predict, and the Open Inference Protocol",
    "video": "segment a video, or a camera in real time",
    "export": "write a trained model for ONNX Runtime, OpenVINO, torch.export or MONAI",
    "push": "share a trained model on the Hugging Face Hub",
    "bench": "benchmark networks: parameters, MACs, latency, memory",
    "reproduce": "run the experiments of a table or figure of the paper",
    "nnunet": "train, predict and score nnU-Net on the same split, or export its raw data set",
    "info": "list networks, recipes, models and versions",
}
MODULES = {"import": "import_"}  # a module cannot have the name of a keyword
EXIT_CODES = (
    "exit codes: 0 done, 1 findings, 2 wrong usage, 3 bad input, 4 an optional package is missing, 130 interrupted"
)


def main(arguments: Sequence[str]) -> int:
    """Run one verb; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(__version__)
        return 0
    verb, *rest = arguments
    try:
        if verb not in VERBS:
            from tmunet.config import suggest

            raise UsageError(f"There is no verb {verb!r}.{suggest(verb, VERBS)}", code="verb")
        with warnings.catch_warnings():
            warnings.showwarning = partial(_show_warning, verb, warnings.showwarning)
            show_messages()
            code: int = importlib.import_module(f"tmunet.cli.{MODULES.get(verb, verb)}").run(rest)
        return code
    except TMUNetError as error:
        return show_error(verb, error)
    except BrokenPipeError:  # such as of `tmunet info | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as shells say it: 128 + SIGPIPE
    except OSError as error:
        print(f"tmunet {verb}: {_describe(error)}", file=sys.stderr)
        return InputError.exit_code
    except KeyboardInterrupt:
        print(f"tmunet {verb}: interrupted.", file=sys.stderr)
        return 130


def show_error(verb: str, error: TMUNetError) -> int:
    """Print the message of an error; returns its exit code."""
    print(f"tmunet {verb}: {error}", file=sys.stderr)
    return error.exit_code


def _describe(error: OSError) -> str:
    """The message of an operating system error, such as an output folder that cannot be written."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}. Check that the path exists, has free space, and may be read and written."


def _show_warning(verb: str, otherwise: Callable[..., None], message: Warning | str, *details: Any) -> None:
    """Write our own warnings as a sentence, without the line of code that Python adds."""
    if isinstance(message, TMUNetWarning):
        print(f"tmunet {verb}: warning: {message}", file=sys.stderr)
    else:
        otherwise(message, *details)


def _help() -> str:
    verbs = "\n".join(f"  {verb:10} {purpose}" for verb, purpose in VERBS.items())
    return f"""usage: tmunet VERB [--help] ...

TM-UNet {__version__}: 2D medical image segmentation. Research software, not a medical device.

{verbs}

`tmunet VERB --help` lists the flags of a verb.
{EXIT_CODES}"""


def entry_point() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry_point()
