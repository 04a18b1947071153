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
        Number of passes over the training data, at most.
    max_steps : int or None
        Number of training steps, each an update of the weights, whatever `max_epochs` says: equal
        training for unequal numbers of images. The schedule is spread over them; the last epoch may
        end early.
    max_seconds : float or None
        Training ends, wherever the schedule is, with the step in which so many seconds of it are
        over. Then seeds no longer decide everything; see `termination_condition_`.
    batch_size : int
        Number of images in a batch.
    learning_rate : float
        Learning rate of the optimizer.
    weight_decay : float
        Weight decay of the optimizer.
    optimizer : {"adam", "adamw", "sgd"} or callable
        Optimizer, or ``optimizer(groups, lr=..., weight_decay=...)`` that returns one.
    schedule : str or callable
        Factor of the learning rate as a function of the fraction of training done: "constant",
        "cosine", "one_cycle", "polynomial", "ramp_up", "shallow_cosine", "step", "warm_up",
        "warm_up_cosine".
    clip_gradients : float or None
        Largest Euclidean norm of the gradient of all parameters together; a longer one is scaled
        down before the update.
    accumulate_batches : int
        Number of batches whose gradients make one update, each image weighing the same: what one
        batch of their joint size does, in the memory of one, where a loss is a mean over images and
        no layer looks at the batch. Everything that counts steps counts updates: `max_steps`,
        `schedule`, momentum teachers, `average_weights`. The last update of an epoch is of the
        batches that are left.
    average_weights : float
        Share of the training steps, at the end, after each of which the weights are averaged; the
        network keeps their mean, and it is what `validation_fraction` looks at. 0 keeps the weights
        of the last step (with `monitor` or `n_iter_no_change`, of the best epoch, averaged if it
        ends in that share). Running statistics are averaged likewise. Training that ends before
        that share begins, by `max_seconds` for example, keeps its last weights. Izmailov et al.,
        "Averaging weights leads to wider optima and better generalization", UAI 2018.
    augmentation : None, {"flips", "light", "strong"}, Augmentation, callable or list of these
        Random changes of the training images and their masks. For a method that compares views of
        an image: one for all views or a list with one for each, None being its paper's.
    image_size : int, (int, int) or None
        Height and width that images are brought to for the network. None leaves images of one
        size as they are, and brings images of several sizes to their median size.
    image_shape : tuple or None
        (h, w) or (h, w, c) of each row, when X is plain rows (n, f); None means (1, f).
    channels : {"first", "last"} or None
        Where the channels of arrays are. None takes 1, 3 or 4, or up to 16 that are fewer than an
        image's rows and columns, to be last, and asks otherwise. Tensors have them first.
    validation_fraction : float
        Share of the labeled images held out to watch the loss; stratified by label, and by
        groups when ``groups`` is passed to fit.
    monitor : {"loss", "iou", "auroc", "balanced_accuracy"} or None
        What tells the best epoch, whose weights are kept. The lowest "loss" is that of held-out
        images (without any, the training loss). Of held-out images alone: the highest "iou" of
        segmenters (mean over the foreground classes, at the network's size), "auroc" or
        "balanced_accuracy" of labels (mean over the classes, each against the rest). A segmenter's
        labels are those that the summarizer "threshold" with ``pooling="top_mean"`` makes of its
        maps. None keeps the last epoch's weights, or with `n_iter_no_change` watches the loss.
    n_iter_no_change : int or None
        Stop after so many epochs without a better one, as `monitor` tells it, and keep the best.
    memory : str, path, joblib.Memory or None
        Where what a fit comes to is kept, so that a search that is run again, because it was killed
        or has more candidates, trains only what is new. A fit is known as for `checkpoint`, which
        goes before; it must have a `random_state`. A `pretrainer` inside that has no memory takes
        this one. Callbacks other than scikit-learn's may stop a training, so that with one no fit
        is kept. Of a frozen encoder the maps are kept as well, in a file for each image, however
        many there are: then the next fit finds them, and a search over decoders pays for decoders.
    warm_start : bool
        Whether a further `fit` goes on from what was learned, with the same images, more or others.
        Where `max_epochs` (`max_steps`) is more than was trained, it goes on to there, with the
        optimizer as it was; the schedule goes on at the fraction that is done of the new length.
        Else it trains that much once more, from the weights that there are. A `pretrainer` is not
        asked again.
    random_state : int, RandomState or None
        Decides every random choice: same seed, same bits, on one machine and number of threads,
        in whichever thread of Python `fit` is called.
    device : str
        "auto" (CUDA, else MPS, else CPU) or the name of a torch device.
    precision : {"auto", "bf16", "fp16", "fp32"}
        "auto" is bf16 by a rule: where the device has it natively, for networks that gain by it.
        "fp16", with a scaled loss, is for GPUs without bf16.
    n_threads : int or None
        CPU threads to compute with. None means ``SEGCLF_NUM_THREADS`` where set, 1 in a worker
        process, else ``OMP_NUM_THREADS``, else the CPUs that this process may use.
    verbose : int
        With 1 or more, print a line for each epoch.
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
    verbose: int = 0

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
        "verbose": ["verbose"],
    }
