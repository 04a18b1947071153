"""Time a batched augmentation against torchvision's transforms, applied image by image.

From the same float images, both make

- ``masks``: images with their masks, flipped, moved (rotation, scale, translation, shear) and
  recolored (brightness, contrast, saturation): bilinear and nearest. torchvision's hue, which is
  far slower, is left out of both.
- ``view``: a view as SimSiam (arXiv 2011.10566, Appendix A) takes it, without masks: crop, flip,
  brightness, contrast, saturation and hue for 80%, grayscale for 20%, blur for 50%.

The two take turns, so that a busy machine slows both; the ratio is the median of the pairs'
ratios.

Run ``python -m benchmarks.augmentation`` and ``python -m benchmarks.augmentation --work view``.
"""

import argparse
import datetime
import platform
import statistics
import time
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from segclf.data import Augmentation

Batch = tuple[Tensor, Tensor | None]


WORK = {
    "masks": (
        Augmentation(
            horizontal_flip=0.5,
            rotation=15,
            scale=(0.9, 1.1),
            translation=0.05,
            shear=5,
            brightness=0.2,
            contrast=0.2,
            saturation=0.2,
        ),
        lambda size: [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomAffine(15, (0.05, 0.05), (0.9, 1.1), 5, InterpolationMode.BILINEAR),
            v2.ColorJitter(0.2, 0.2, 0.2),
        ],
    ),
    "view": (
        Augmentation(
            crop=(0.2, 1.0),
            horizontal_flip=0.5,
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=36,
            color_probability=0.8,
            grayscale=0.2,
            blur=(0.1, 2.0),
            blur_probability=0.5,
        ),
        lambda size: [
            v2.RandomResizedCrop(size, (0.2, 1.0), antialias=False),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(17, (0.1, 2.0))], 0.5),
        ],
    ),
}


def main() -> None:
    settings = parsed_arguments()
    torch.set_num_threads(settings.threads)
    shape = (settings.batch_size, 3, settings.image_size, settings.image_size)
    image, mask = torch.rand(shape), torch.randint(0, 3, (shape[0], *shape[2:]))
    if settings.channels_last:
        image = image.contiguous(memory_format=torch.channels_last)
    ours, theirs = WORK[settings.work]
    masks = mask if settings.work == "masks" else None
    transform = v2.Compose(theirs(settings.image_size))
    sides = batched(ours, image, masks), image_by_image(transform, image, masks)
    report(settings, interleaved(*sides, settings.pairs))


def batched(augmentation: Augmentation, image: Tensor, mask: Tensor | None) -> Callable[[], Batch]:
    generator = torch.Generator().manual_seed(0)
    return lambda: augmentation(image, mask, generator)


def image_by_image(
    transform: v2.Transform, image: Tensor, mask: Tensor | None
) -> Callable[[], Batch]:
    def augmented() -> Batch:
        if mask is None:
            return torch.stack([transform(i) for i in image]), None
        samples = zip(image, mask, strict=True)
        moved = [transform(tv_tensors.Image(i), tv_tensors.Mask(m)) for i, m in samples]
        return torch.stack([i for i, _ in moved]), torch.stack([m for _, m in moved])

    return augmented


def interleaved(
    first: Callable[[], Batch], second: Callable[[], Batch], n_pairs: int
) -> list[tuple[float, float]]:
    first(), second()
    return [(seconds(first), seconds(second)) for _ in range(n_pairs)]


def seconds(function: Callable[[], Batch]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def report(settings: argparse.Namespace, pairs: list[tuple[float, float]]) -> None:
    ratios = sorted(theirs / ours for ours, theirs in pairs)
    low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
    size = f"{settings.batch_size} x 3 x {settings.image_size} x {settings.image_size}"
    print(f"{datetime.date.today()}, {platform.machine()} {platform.system()}", end=", ")
    print(f"{torch.backends.cpu.get_cpu_capability()}, {settings.threads} thread(s)", end=", ")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
    print(f"{settings.work}: {size}, {len(pairs)} interleaved pairs; median (fastest)")
    for name, times in zip(("segclf", "torchvision"), zip(*pairs, strict=True), strict=True):
        print(f"{name:12s} {1000 * statistics.median(times):7.2f} ms ({1000 * min(times):.2f} ms)")
    print(f"ratio        {statistics.median(ratios):7.2f} x, quartiles {low:.2f} to {high:.2f}")


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", choices=sorted(WORK), default="masks")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels-last", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
