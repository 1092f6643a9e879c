"""Images a second of a 640 x 480 clip: overlapping threads beside a plain loop, in turns, with the same ffmpeg on both ends.

    python benchmarks/video/throughput.py --frames 100 --rounds 3 > benchmarks/video/throughput.json

Both read the clip, predict, draw and encode the overlay. Then the clip is read in real time, at 25 images a second.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tmunet.cli.process_setup import prepare_process

prepare_process()

import torch  # noqa: E402

from tmunet import Predictor  # noqa: E402
from tmunet.data.data_config import Preprocess  # noqa: E402
from tmunet.model import TrainedModel, load_model  # noqa: E402
from tmunet.model_config import ModelConfig  # noqa: E402
from tmunet.prediction.mask_files import overlay  # noqa: E402
from tmunet.video.ffmpeg import open_source  # noqa: E402
from tmunet.video.frame_reader import FrameReader  # noqa: E402
from tmunet.video.frame_writer import FrameWriter, overlay_encoder  # noqa: E402
from tmunet.video.segment import predict_frames, predict_frames_in_turn, segment_video  # noqa: E402


def untrained(name: str, side: int) -> TrainedModel:
    """A network with random weights: as fast as a trained one."""
    config = ModelConfig(name, preprocess=Preprocess(side, 3, "imagenet"))
    return TrainedModel(config.create_network().eval(), config)


def run(predict: Callable[..., Any], clip: Path, predictor: Predictor, out: Path) -> dict[str, Any]:
    """Segment the clip, and return the summary."""
    with FrameWriter(out, overlay_encoder()) as writer:

        def write(frame: Any, prediction: Any) -> Any:
            writer.write(overlay(frame.pixels, prediction.mask), frame.time)
            return prediction.mask

        done = predict(FrameReader(open_source(str(clip))), predictor.pipeline, write)
        writer.finish()
    return done.summary()


def main() -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", default="openvino")
    given = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    warnings.simplefilter("ignore")
    models = {
        "nuclei-t, 256 x 256": load_model("nuclei-t"),
        "tmunet_t untrained, 128 x 128": untrained("tmunet_t", 128),
    }
    result: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "backend": given.backend,
    }
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder) / "clip.mp4", Path(folder) / "out.mp4"
        pattern = f"testsrc2=size=640x480:rate=25:duration={given.frames / 25}"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", pattern, "-pix_fmt", "yuv420p", str(clip)]
        subprocess.run(command, check=True)
        for name, trained in models.items():
            predictor = Predictor(trained, backend=given.backend, device="cpu")
            before, turns = os.getloadavg()[0], []
            for number in range(given.rounds):
                order = [predict_frames_in_turn, predict_frames][:: -1 if number % 2 else 1]
                turns.append({one.__name__: run(one, clip, predictor, out)["images_per_second"] for one in order})
            ratios = [turn["predict_frames"] / turn["predict_frames_in_turn"] for turn in turns]
            live = segment_video(predictor, open_source(str(clip)), out, real_time=True).summary()
            result[name] = {
                "load_before": before,
                "load_after": os.getloadavg()[0],
                "plain_loop_images_per_second": statistics.median(turn["predict_frames_in_turn"] for turn in turns),
                "overlapped_images_per_second": statistics.median(turn["predict_frames"] for turn in turns),
                "ratio_median": statistics.median(ratios),
                "ratios": ratios,
                "real_time": live,
            }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
