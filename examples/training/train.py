"""Train a small classifier and track it: params, a curve per epoch, every sample of the validation, the weights.

    python examples/training/train.py                       # writes experiments/training/linear
    python examples/training/train.py --learning-rate 40    # a mistake that the gate is to find
    python examples/training/train.py --mirror tensorboard  # and shows it live

It takes a moment, needs nothing but runstore, and gives the same bytes wherever and whenever it runs: the data are
drawn with a fixed seed, and of mathematics it uses what every machine does alike (+, −, ×, /, square root).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runstore import MetricDeclaration, canonical, create_tracker
from runstore.tracking import ExperimentTracker

SEED = 7
TRAINING, VALIDATION = 300, 80
SHARE = MetricDeclaration(direction="higher", range=(0, 1))
METRICS = {
    "correct": SHARE,
    "squared_error": MetricDeclaration(direction="lower", range=(0, 1)),
    "train_loss": MetricDeclaration(direction="lower"),
    "val_accuracy": MetricDeclaration(direction="higher", range=(0, 1), aggregate="max"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A point of the plane, and which of two kinds it is."""

    x: float
    y: float
    kind: int


def draw(count: int, chance: random.Random) -> list[Sample]:
    """Points of two kinds on the two sides of a line, some of them on the wrong one."""
    samples = []
    for _ in range(count):
        x, y = chance.uniform(-2, 2), chance.uniform(-2, 2)
        noise = chance.random() + chance.random() - 1
        samples.append(Sample(round(x, 3), round(y, 3), int(1.5 * x - y + 0.5 + noise > 0)))
    return samples


class Classifier:
    """Says by a weighted sum how sure it is that a point is of kind 1; trained by gradient descent."""

    def __init__(self, *, has_bias: bool = True) -> None:
        self.weights = [0.0, 0.0, 0.0]
        self._has_bias = has_bias

    def features(self, sample: Sample) -> tuple[float, float, float]:
        """What the weights are for."""
        return sample.x, sample.y, 1.0 if self._has_bias else 0.0

    def guess(self, sample: Sample) -> float:
        """From 0 to 1. An S-shaped curve that needs no exponential, whose last bits differ between machines."""
        total = 0.0  # by hand: `sum` adds doubles in another way from Python 3.12 on
        for weight, feature in zip(self.weights, self.features(sample), strict=True):
            total += weight * feature
        return 0.5 + 0.5 * total / math.sqrt(1 + total * total)

    def step(self, samples: Sequence[Sample], learning_rate: float) -> float:
        """One epoch over all samples; the mean squared error before it."""
        loss, slope = 0.0, [0.0, 0.0, 0.0]
        for sample in samples:
            error = self.guess(sample) - sample.kind
            loss += error * error
            for index, feature in enumerate(self.features(sample)):
                slope[index] += 2 * error * feature
        for index, one in enumerate(slope):
            self.weights[index] -= learning_rate * one / len(samples)
        return loss / len(samples)


def accuracy(model: Classifier, samples: Sequence[Sample]) -> float:
    """The share of samples that are taken for what they are."""
    return sum((model.guess(sample) > 0.5) == (sample.kind == 1) for sample in samples) / len(samples)


def records(model: Classifier, samples: Sequence[Sample]) -> Iterator[dict[str, object]]:
    """What became of each sample: the gate judges them one by one."""
    for number, sample in enumerate(samples):
        guess = model.guess(sample)
        yield {
            "id": f"sample-{number:03}",
            "input": {"x": sample.x, "y": sample.y},
            "target": sample.kind,
            "output": round(guess, 6),
            "scores": {
                "correct": int((guess > 0.5) == (sample.kind == 1)),
                "squared_error": round((guess - sample.kind) ** 2, 6),
            },
            "tags": {"side": "left" if sample.x < 0 else "right"},
        }


def train(tracker: ExperimentTracker, name: str, learning_rate: float, epochs: int, *, has_bias: bool = True) -> None:
    """Train one classifier as one run; with a bias, another without it is nested in the run, to compare with."""
    chance = random.Random(SEED)
    training, validation = draw(TRAINING, chance), draw(VALIDATION, chance)
    drawn = [[one.x, one.y, one.kind] for one in (*training, *validation)]
    model = Classifier(has_bias=has_bias)
    with tracker.start_run(run_id=name if has_bias else None, run_name=name, nested=not has_bias) as run:
        run.log_params({"learning_rate": learning_rate, "epochs": epochs, "has_bias": has_bias})
        run.log_dataset("points", digest=canonical.sha256(canonical.encode(drawn)), description="drawn with the seed")
        run.create_alert("train_loss > 0.25", "worse than never to say anything but one half")
        for epoch in range(epochs):
            loss = model.step(training, learning_rate)
            run.log_metrics({"train_loss": loss, "val_accuracy": accuracy(model, validation)}, step=epoch)
        run.log_records(records(model, validation))
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, "weights.json")
            weights.write_text(json.dumps(model.weights) + "\n", encoding="utf-8")
            run.log_artifact(weights, type="model")
        if has_bias:
            train(tracker, "no-bias", learning_rate, epochs, has_bias=False)
        run.set_note("A line that parts two kinds of points. `no-bias` shows what the bias is worth.")


def main() -> None:
    """Read the flags and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="experiments", help="the folder of all runs")
    parser.add_argument("--learning-rate", type=float, default=2.0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--mirror", default="local", help="mlflow, tensorboard or wandb: show it there, live")
    parser.add_argument("--target", help="where there, as `gate export --target` takes it")
    asked = parser.parse_args()
    tracker = create_tracker(
        asked.mirror,
        options={"target": asked.target} if asked.target else {},
        root=asked.root,
        project="training",
        experiment_name="points",
        metrics=METRICS,
        slices=["side"],
        seeds={"data": SEED},
        tags={"model": "linear"},
    )
    train(tracker, "linear", asked.learning_rate, asked.epochs)


if __name__ == "__main__":
    main()
