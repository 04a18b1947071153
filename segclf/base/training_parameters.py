"""The parameters that every estimator with a network shares."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from segclf.base.checkpoint_parameters import CheckpointParameters
from segclf.base.monitor import METRICS
from segclf.training import OPTIMIZERS, PRECISIONS, SCHEDULES


class TrainingParameters(CheckpointParameters):
    """Parameters of every estimator that trains a network.

    Parameters
    ----------
    max_epochs : int
        Maximum number of passes over the training data.
    max_steps : int or None
        Number of training steps, each an update of the weights. It takes precedence over
        `max_epochs`, so that training is equally long for different numbers of images. The schedule
        spans these steps; the last epoch may end early.
    max_seconds : float or None
        Maximum training time in seconds. Training ends with the step that reaches it, wherever the
        schedule is. Results then depend on more than the seed; see `termination_condition_`.
    batch_size : int
        Number of images in a batch.
    learning_rate : float
        Learning rate of the optimizer.
    weight_decay : float
        Weight decay of the optimizer.
    optimizer : {"adam", "adamw", "sgd"} or callable
        Optimizer, or a function ``optimizer(groups, lr=..., weight_decay=...)`` that returns one.
    schedule : str or callable
        Factor of the learning rate as a function of the fraction of training done: "constant",
        "cosine", "one_cycle", "polynomial", "ramp_up", "shallow_cosine", "step", "warm_up",
        "warm_up_cosine".
    clip_gradients : float or None
        Maximum Euclidean norm of the gradient of all parameters together; a larger gradient is
        scaled down before the update.
    accumulate_batches : int
        Number of batches whose gradients make one update, each image weighing the same. It has the
        effect of one larger batch, in the memory of a small one, if the loss is a mean over images
        and no layer depends on the batch. Everything that counts steps counts updates: `max_steps`,
        `schedule`, momentum teachers, `average_weights`. The last update of an epoch uses the
        remaining batches.
    average_weights : float
        Share of the training steps, at the end, after each of which the weights are averaged. The
        network keeps their mean, which is also used for validation. 0 keeps the weights of the last
        step. With `monitor` or `n_iter_no_change`, the network keeps the best epoch, averaged if it
        ends in that share. Running statistics are averaged likewise. Training that ends before that
        share begins, by `max_seconds` for example, keeps its last weights. Izmailov et al.,
        "Averaging weights leads to wider optima and better generalization", UAI 2018.
    augmentation : None, {"flips", "light", "strong"}, Augmentation, callable or list of these
        Random changes of the training images and their masks. A method that compares views of an
        image takes one for all views, or a list with one for each; None is the paper's.
    image_size : int, (int, int) or None
        Height and width to which images are resized for the network. None keeps images that all
        have one size, and resizes others to their median size.
    image_shape : tuple or None
        Shape (h, w) or (h, w, c) of each row as an image, for plain rows (n, f); None is (1, f).
    channels : {"first", "last"} or None
        Position of the channels in arrays. None takes an axis of 1, 3 or 4, or of up to 16 and
        fewer than an image's rows and columns, as last channels, and otherwise raises an error.
        Tensors have them first.
    validation_fraction : float
        Share of the labeled images held out to monitor the loss; stratified by label, and with
        whole groups if ``groups`` is passed to fit.
    monitor : {"loss", "iou", "auroc", "balanced_accuracy"} or None
        Metric that decides the best epoch, whose weights are kept. "loss" is the lowest on held-out
        images (or on the training images, if none are held out). The others need held-out images:
        the highest "iou" of segmenters (mean over the foreground classes, at the network's size),
        "auroc" or "balanced_accuracy" of labels (mean over the classes, each against the rest). The
        labels of a segmenter come from its maps, by the summarizer "threshold" with
        ``pooling="top_mean"``. None keeps the last epoch's weights; with `n_iter_no_change` it
        monitors the loss.
    n_iter_no_change : int or None
        Stop after this number of epochs without improvement of `monitor`, and keep the best.
    memory : str, path, joblib.Memory or None
        Where the results of fits are stored, so that a repeated search, after it was killed or with
        more candidates, trains only what is new. A fit is identified as for `checkpoint`, which
        takes precedence; it must have a `random_state`. A nested `pretrainer` without a memory uses
        this one. Callbacks other than scikit-learn's may stop training, so fits with them are not
        stored. All maps of a frozen encoder are stored as well, in a file for each image. The next
        fit finds them, so a search over decoders pays for decoders only.
    warm_start : bool
        Whether a further `fit` continues from what was learned, with the same images, more or
        others. If `max_epochs` (`max_steps`) exceeds what was trained, training continues up to it,
        with the same state of the optimizer; the schedule continues at the fraction that is done of
        the new length. Otherwise it trains that much once more, from the current weights. A
        `pretrainer` is not used again.
    random_state : int, RandomState or None
        Decides every random choice: the same seed gives the same bits on one machine and number of
        threads, in whichever Python thread `fit` is called.
    device : str
        "auto" (CUDA, else MPS, else CPU) or the name of a torch device.
    precision : {"auto", "bf16", "fp16", "fp32"}
        "auto" is bf16 if the device supports it natively and the network benefits from it.
        "fp16", with a scaled loss, is for GPUs without bf16.
    n_threads : int or None
        CPU threads to compute with. None means ``SEGCLF_NUM_THREADS`` where set, 1 in a worker
        process, else ``OMP_NUM_THREADS``, else the CPUs that this process may use.
    """

    max_epochs: int = 50
    max_steps: int | None = None
    max_seconds: float | None = None
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    optimizer: Any = "adam"
    schedule: Any = "constant"
    clip_gradients: float | None = None
    accumulate_batches: int = 1
    average_weights: float = 0.0
    augmentation: Any = None
    image_size: int | tuple[int, int] | None = None
    image_shape: tuple[int, ...] | None = None
    channels: str | None = None
    validation_fraction: float = 0.0
    monitor: str | None = None
    n_iter_no_change: int | None = None
    memory: Any = None
    warm_start: bool = False
    random_state: Any = None
    device: str = "auto"
    precision: str = "auto"
    n_threads: int | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "schedule": [StrOptions(set(SCHEDULES)), callable],
        "clip_gradients": [Interval(Real, 0, None, closed="neither"), None],
        "accumulate_batches": [Interval(Integral, 1, None, closed="left")],
        "average_weights": [Interval(Real, 0, 1, closed="left")],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "image_shape": [tuple, list, None],
        "channels": [StrOptions({"first", "last"}), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "monitor": [StrOptions({"loss", *METRICS}), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"auto", *PRECISIONS})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }
