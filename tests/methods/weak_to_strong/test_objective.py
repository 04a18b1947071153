import numpy as np
import pytest
import torch

from segclf.losses import cross_entropy
from segclf.methods.weak_to_strong.objective import WeakToStrong, sure_masks
from segclf.methods.weak_to_strong.views import StrongViews
from segclf.networks import segmentation_network
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)


def objective(*, confidence=0.5, momentum=0.9, n_classes=2, frozen=True, **views):
    torch.manual_seed(0)
    student = segmentation_network(architecture="hypercolumn", encoder="tiny", n_classes=n_classes)
    student.set_encoder_rate(0.0 if frozen else 1.0)
    settings = {"cutmix": 0.0, "feature_dropout": 0.0, "feature_noise": 0.0, **views}
    made = WeakToStrong(
        student,
        shares_encoder=frozen,
        views=StrongViews(**{"photometric": unchanged, **settings}),
        loss="cross_entropy",
        consistency_weight=2.0,
        confidence=confidence,
        momentum=momentum,
        label_weight=1.0,
    )
    for module in student.modules():  # the head's own
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    spread(made.network, 1)
    spread(student, 2)
    return made.train()


def unchanged(image, mask, generator):
    return image, mask


def spread(network, seed):
    """Give the head weights so that scores are far apart, others for teacher and student."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network.head.weight.copy_(torch.randn(network.head.weight.shape, generator=generator))
        network.head.bias.sub_(network.eval()(batch(0)["image"]).mean((0, 2, 3)))


def batch(n_labeled, n_images=4, n_classes=None, size=32):
    generator = torch.Generator().manual_seed(1)
    channels = () if n_classes is None else (n_classes,)
    mask = torch.randint(0, 2, (n_images, *channels, size, size), generator=generator)
    mask[n_labeled:] = -1
    return {"image": torch.rand(n_images, 3, size, size, generator=generator), "mask": mask}


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def scores(network, image):
    """Scores in evaluation, where the head's statistics rest."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    with torch.no_grad():
        given = network(image)
    for module, mode in modes.items():
        module.training = mode
    return given.numpy().astype(float)


def rest(made):
    """Let the head's statistics rest in training too, so that one pass is like another."""
    made.student.decoder.n_batches.fill_(10_000)
    return made


@pytest.mark.parametrize("frozen", [True, False])
def test_loss_by_hand(frozen):
    """Without strong views: the teacher's sure pixels by numpy, over all pixels."""
    made, given = rest(objective(confidence=0.8, frozen=frozen)), batch(n_labeled=1)
    terms = made(given, START)
    of_teacher = softmax(scores(made.network, given["image"][1:]))
    of_student = softmax(scores(made.student, given["image"][1:]))
    sure, decided = of_teacher.max(axis=1) >= 0.8, of_teacher.argmax(axis=1)
    surprise = -np.log(np.take_along_axis(of_student, decided[:, None], axis=1)[:, 0])
    assert 0.1 < sure.mean() < 0.9
    assert terms["consistency"].item() == pytest.approx(2 * (surprise * sure).mean(), rel=1e-4)
    of_masks = softmax(scores(made.student, given["image"][:1]))
    picked = np.take_along_axis(of_masks, given["mask"][:1, None].numpy(), axis=1)
    assert terms["segmentation"].item() == pytest.approx(-np.log(picked).mean(), rel=1e-4)


def test_weights_by_hand():
    made, given = rest(objective(confidence=0.8)), batch(n_labeled=1)
    given["weight"] = torch.tensor([1.0, 3.0, 0.0, 1.0])
    terms = made(given, START)
    rows = [1, 3]
    of_teacher = softmax(scores(made.network, given["image"][rows]))
    of_student = softmax(scores(made.student, given["image"][rows]))
    sure, decided = of_teacher.max(axis=1) >= 0.8, of_teacher.argmax(axis=1)
    surprise = -np.log(np.take_along_axis(of_student, decided[:, None], axis=1)[:, 0])
    first, second = (surprise * sure).mean(axis=(1, 2))
    assert terms["consistency"].item() == pytest.approx(2 * (3 * first + second) / 4, rel=1e-4)


def test_multilabel_by_hand():
    """A channel that somebody labeled is not the teacher's; the other one is."""
    made = rest(objective(confidence=0.7, n_classes=2))
    given = batch(n_labeled=2, n_images=3, n_classes=2)
    given["mask"][1, 1] = -1  # one channel of the second image
    terms = made(given, START)

    def yes(network, row):
        return 1 / (1 + np.exp(-scores(network, given["image"])[row]))

    surprises, sures = [], []
    for row, channels in ((1, [1]), (2, [0, 1])):
        of_teacher, of_student = (yes(n, row)[channels] for n in (made.network, made.student))
        sures.append(np.maximum(of_teacher, 1 - of_teacher) >= 0.7)
        surprises.append(-np.log(np.where(of_teacher >= 0.5, of_student, 1 - of_student)))
    sure, surprise = np.concatenate(sures), np.concatenate(surprises)
    assert 0.1 < sure.mean() < 1
    assert terms["consistency"].item() == pytest.approx(2 * (surprise * sure).mean(), rel=1e-4)


@pytest.mark.parametrize("frozen", [True, False])
def test_cutmix_takes_image_and_pseudo_mask_alike(frozen):
    """Loss by hand where every strong view holds a box, on a grid of one cell to four pixels."""
    made, given = rest(objective(cutmix=1.0, frozen=frozen)), batch(n_labeled=1)
    seen = {}
    views = made.views

    class Remembered(StrongViews):
        def __call__(self, student, weak):
            seen["strong"], seen["boxes"] = super().__call__(student, weak)
            return seen["strong"], seen["boxes"]

    made.views = Remembered(**vars(views))
    terms = made(given, START)
    boxes, image = seen["boxes"].numpy(), given["image"][1:]
    assert boxes.any(axis=(1, 2)).all()
    own = np.tile(scores(made.network, image).argmax(axis=1), (2, 1, 1))
    pseudo = np.where(boxes, np.roll(own, 1, axis=0), own)
    assert (pseudo != own).any()
    with torch.no_grad():
        logits = seen["strong"].scores_of(made.student)
    expected = 2 * cross_entropy(logits, torch.from_numpy(pseudo))
    assert terms["consistency"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_below_the_confidence_there_is_the_supervised_term_alone():
    made, given = rest(objective(confidence=1.0)), batch(n_labeled=2)
    terms = made(given, START)
    assert terms["consistency"] == 0
    sum(terms.values()).backward()
    gradients = [parameter.grad for parameter in made.student.head.parameters()]
    alone = rest(objective())
    logits = alone.student(given["image"][:2])
    cross_entropy(logits, given["mask"][:2]).backward()
    for ours, theirs in zip(gradients, alone.student.head.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.grad)


def test_where_all_have_masks_there_is_no_consistency():
    assert objective()(batch(n_labeled=4), START)["consistency"] == 0


def test_teacher_has_no_gradient_and_the_student_has():
    made = objective(frozen=False)
    made(batch(n_labeled=1), START)["consistency"].backward()
    assert all(parameter.grad is None for parameter in made.network.parameters())
    assert made.student.head.weight.grad.abs().sum() > 0
    assert any(each.grad.abs().sum() > 0 for each in made.student.encoder.parameters())


def test_teacher_follows_by_hand():
    """At most the mean of what was, so that the first step forgets the start."""
    made, expected = objective(momentum=0.6), None
    for step, (value, share) in enumerate([(1.0, 0.0), (4.0, 0.5), (0.0, 0.6), (2.0, 0.6)]):
        with torch.no_grad():
            made.student.head.weight.fill_(value)
            made.student.decoder.mean.fill_(-value)
        made.after_update(Progress(0, step, step / 4))
        expected = value if expected is None else share * expected + (1 - share) * value
        np.testing.assert_allclose(made.network.head.weight.numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(made.network.decoder.mean.numpy(), -expected, rtol=1e-6)


def test_teacher_starts_where_the_student_starts():
    made = objective(frozen=False)
    made.before_epoch([], START)
    for name, value in made.student.state_dict().items():
        assert torch.equal(made.network.state_dict()[name], value)
    spread(made.student, 3)
    made.before_epoch([], Progress(1, 5, 0.5))
    assert not torch.equal(made.network.head.weight, made.student.head.weight)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_is_there_once(frozen):
    made = objective(frozen=frozen)
    assert (made.network.encoder is made.student.encoder) == frozen
    assert made.network.decoder is not made.student.decoder


def test_teacher_is_in_evaluation_and_held_out_images_are_asked_of_it():
    made, given = objective(), batch(n_labeled=4)
    assert made.student.training
    assert not made.network.training
    made.eval()
    terms = made(given, START)
    assert list(terms) == ["segmentation"]
    expected = cross_entropy(torch.from_numpy(scores(made.network, given["image"])), given["mask"])
    torch.testing.assert_close(terms["segmentation"].double(), expected)


def test_sure_masks_of_known_probabilities():
    probabilities = torch.tensor([[0.96, 0.5, 0.05], [0.04, 0.5, 0.95]])[None, :, None]
    open_ = torch.tensor([True])
    assert sure_masks(probabilities.log(), open_, 0.95).tolist() == [[[0, -1, 1]]]
    assert sure_masks(probabilities.log(), ~open_, 0.0).tolist() == [[[-1, -1, -1]]]
    channels = sure_masks(probabilities.logit(), torch.tensor([[True, False]]), 0.95)
    assert channels.tolist() == [[[[1, -1, 0]], [[-1, -1, -1]]]]
