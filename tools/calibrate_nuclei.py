"""Store the appearance of the training images and the calibration of the confidence in the packaged model nuclei-t.

    tmunet import dsb2018 stage1_train.zip DSB2018
    python tools/calibrate_nuclei.py DSB2018

The appearance is of the images in train, the calibration is fitted on those in val, of the model's own split.
"""

import sys
from dataclasses import replace
from pathlib import Path

from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.preprocess import prepare
from tmunet.data.training_stats import Appearance, AppearanceRange
from tmunet.model import save_config
from tmunet.model_config import packaged_model
from tmunet.prediction.calibrate import calibrate
from tmunet.prediction.predictor import Predictor


def main(data: str) -> None:
    """Measure, calibrate and write config.json and the model card."""
    folder = packaged_model()
    dataset, predictor = open_dataset(Path(data), folder / "split.json"), Predictor(folder)
    images = [prepare(read_image(case.image), predictor.config.preprocess) for case in dataset.subset("train")]
    appearance = AppearanceRange.of([Appearance.of(image) for image in images])
    fitted = calibrate(predictor, dataset, dataset.split.test)
    save_config(folder, replace(predictor.config, appearance=appearance, calibration=fitted))
    print(f"{appearance}\n{fitted}\n{fitted.agreement}\n{fitted.dice}\nreview below {fitted.review:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
