import copy
import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from lightly.loss import DINOLoss
from lightly.models.modules import DINOProjectionHead
from lightly.models.utils import update_momentum
from lightly.utils.scheduler import cosine_schedule

from segclf import DINOPretrainer, ImageClassifier, SupervisedSegmenter
from segclf.data import Augmentation, Samples, as_images, views
from segclf.datasets import make_shapes
from segclf.methods.dino_pretrainer import embeddings
from segclf.networks import classification_network
from segclf.objectives import CollapseWarning, Progress
from segclf.training import TrainingPlan, make_optimizer, train
from segclf.training.optimizers import follow_schedules

START = Progress(0, 0, 0.0)
S4MI = {
    "n_local_crops": 2,
    "global_crop": (0.5, 1.0),
    "local_scale": 1.0,
    "student_sees_global": False,
    "bottleneck_activation": True,
    "unit_prototypes": False,
    "student_temperature": 0.9,
    "teacher_temperature": 0.04,
    "momentum": 0.9,
    "final_momentum": 0.9,
    "frozen_prototypes": 0.0,
    "largest_gradient": None,
}


def pretrainer(**changes):
    settings = {
        "encoder": "tiny",
        "n_local_crops": 2,
        "n_prototypes": 64,
        "head_size": 32,
        "bottleneck_size": 16,
        "batch_size": 8,
        "max_epochs": 2,
        "random_state": 0,
    }
    return DINOPretrainer(**{**settings, **changes})


def objective(**changes):
    torch.manual_seed(0)
    images = as_images(np.zeros((2, 8, 8, 3), dtype=np.float32))
    return pretrainer(**changes)._make_objective(Samples(images=images))


def crops(n_images=4, n_local=2, local=5):
    sizes = [8, 8, *[local] * n_local]
    batch = {f"view_{i}": torch.rand(n_images, 3, s, s) for i, s in enumerate(sizes)}
    return batch | {"index": torch.arange(n_images)}


class Crops:
    """Two batches an epoch, always the same."""

    def __init__(self):
        torch.manual_seed(1)
        self.batches = [crops(), crops(3)]

    def __len__(self):
        return len(self.batches)

    def epoch(self, epoch):
        return iter(self.batches)


def trained(max_epochs, **changes):
    """The objective before and after training, as the estimator's defaults have it."""
    dino = objective(**changes)
    before = copy.deepcopy(dino)
    plan = TrainingPlan(
        max_epochs=max_epochs, learning_rate=1e-4, weight_decay=0.04, optimizer="adamw"
    )
    train(dino, Crops(), plan)
    return before, dino


def parameters(*modules):
    return [parameter.detach().clone() for m in modules for parameter in m.parameters()]


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)


@pytest.fixture(scope="module")
def colors():
    """Images that differ by their color: what a few steps can learn."""
    generator = np.random.default_rng(0)
    noise = 0.15 * generator.standard_normal((32, 16, 16, 3))
    return (generator.uniform(0, 1, (32, 1, 1, 3)) + noise).astype(np.float32)


@pytest.mark.parametrize("k", [64, 4096, 65536])
def test_equal_prototypes_give_ln_k(k):
    dino = objective(n_prototypes=k)
    torch.nn.init.ones_(dino.student_head.prototypes.weight)
    assert dino(crops(), START)["distillation"].item() == pytest.approx(math.log(k), rel=1e-5)


@pytest.mark.parametrize("changes", [{}, {"n_local_crops": 0}, {"encoder": "tiny_vit"}])
def test_three_batches_as_lightly_would_have_them(changes):
    """Its loss, and the center that it keeps, on what our networks say."""
    dino = objective(teacher_temperature=0.04, **changes)
    theirs = DINOLoss(64, teacher_temp=0.04)
    for n_images in (4, 4, 3):
        batch = crops(n_images, n_local=changes.get("n_local_crops", 2), local=4)
        images = views(batch)
        with torch.no_grad():
            student = [dino.student_head(dino.student(image)) for image in images]
            teacher = [dino.head(dino.network(image)) for image in images[:2]]
        expected = theirs(teacher, student)
        loss = dino(batch, START)["distillation"]
        torch.testing.assert_close(loss.detach(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(dino.center, theirs.center.flatten())


class Lightlys(torch.nn.Module):
    """Lightly's head, loss and momentum, started with the weights of ours."""

    def __init__(self, dino):
        super().__init__()
        self.student = lightlys(dino.student, dino.student_head)
        self.teacher = lightlys(dino.network, dino.head).requires_grad_(False)
        self.criterion = DINOLoss(64, teacher_temp=0.04)

    def loss(self, images):
        return self.criterion([self.teacher(i) for i in images[:2]], [*map(self.student, images)])


def lightlys(network, head):
    theirs = DINOProjectionHead(network.n_features, 32, 16, 64)
    theirs.layers.load_state_dict(head.perceptron.state_dict())
    theirs.last_layer.weight_v.data.copy_(head.prototypes.weight)
    return torch.nn.Sequential(copy.deepcopy(network), theirs)


def weights(network, head):
    return [*network.parameters(), *head.parameters()]


def lightlys_weights(model):
    """All but the fixed lengths of prototypes, in our order."""
    return [p for name, p in model.named_parameters() if not name.endswith("weight_g")]


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_steps_are_lightlys_on_the_same_networks_and_views():
    """Gradients, centers and teachers: what two losses, optimizers and momenta make of a start."""
    dino = objective(teacher_temperature=0.04, momentum=0.9)
    with torch.no_grad():  # so small a head starts with tiny outputs, and one step makes all alike
        for p in [*dino.student_head.perceptron.parameters(), *dino.head.perceptron.parameters()]:
            p.mul_(10)
    theirs = Lightlys(dino)
    pairs = [
        (weights(dino.student, dino.student_head), lightlys_weights(theirs.student)),
        (weights(dino.network, dino.head), lightlys_weights(theirs.teacher)),
    ]
    optimizers = [torch.optim.SGD(trained, lr=0.01) for trained in pairs[0]]
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    for _ in range(3):
        batch = crops()
        losses = dino(batch, START)["distillation"], theirs.loss(views(batch))
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
        close(*losses)
        for ours, others in zip(*pairs[0], strict=True):
            length = others.grad.norm()
            assert length > 1e-3
            close(ours.grad / length, others.grad / length)
        for optimizer in optimizers:
            optimizer.step()
        dino.after_update(START)
        update_momentum(theirs.student, theirs.teacher, m=0.9)
        close(dino.center, theirs.criterion.center.flatten())
        for pair in pairs:
            close(*pair)


def test_small_views_alone_are_compared_with_both_large_ones():
    dino, batch = objective(student_sees_global=False), crops()
    images = views(batch)
    students = [(dino.student_head(dino.student(i)) / 0.1).log_softmax(1) for i in images[2:]]
    teachers = [(dino.head(dino.network(i)) / 0.04).softmax(1) for i in images[:2]]
    expected = -sum((t * s).sum(1).mean() for t in teachers for s in students) / 4
    torch.testing.assert_close(dino(batch, START)["distillation"], expected)


def test_center_after_one_batch_is_a_tenth_of_the_teachers_mean():
    dino, batch = objective(), crops()
    teacher = torch.cat([dino.head(dino.network(batch[f"view_{i}"])) for i in range(2)])
    dino(batch, START)
    torch.testing.assert_close(dino.center, 0.1 * teacher.mean(dim=0))


def test_evaluation_leaves_the_center():
    dino = objective().eval()
    dino(crops(), START)
    assert not dino.center.any()


@pytest.mark.parametrize(
    ("warm_up", "expected"), [(0.3, [0.04, 0.055, 0.07, 0.07]), (0, [0.07] * 4)]
)
def test_the_teachers_temperature_rises_linearly(warm_up, expected):
    dino = objective(temperature_warm_up=warm_up)
    fractions = (0.0, 0.15, 0.3, 1.0)
    assert [dino.teacher_temperature(t) for t in fractions] == pytest.approx(expected)


def test_the_temperature_of_the_moment_is_used():
    dino, batch = objective().eval(), crops()
    early, late = (dino(batch, Progress(0, 0, t))["distillation"] for t in (0.0, 0.5))
    dino.teacher_temperature = lambda fraction: 0.07
    assert torch.equal(dino(batch, START)["distillation"], late)
    assert not torch.equal(early, late)


def test_the_teacher_follows_by_hand():
    dino = objective()
    teacher = parameters(dino.network, dino.head)
    with torch.no_grad():
        for parameter in [*dino.student.parameters(), *dino.student_head.parameters()]:
            parameter.add_(torch.randn_like(parameter))
    student = parameters(dino.student, dino.student_head)
    dino.after_update(START)
    followed = parameters(dino.network, dino.head)
    for t, s, new in zip(teacher, student, followed, strict=True):
        torch.testing.assert_close(new, 0.996 * t + 0.004 * s)


def test_momentum_ends_at_1_along_lightlys_cosine():
    momentum = objective().momentum
    assert (momentum(0.0), momentum(1.0)) == (pytest.approx(0.996), 1.0)
    assert momentum(0.5) == pytest.approx(0.998)  # the public code's value at 5 of 10 steps
    theirs = [cosine_schedule(step, 11, 0.996, 1.0) for step in range(11)]
    assert [momentum(step / 10) for step in range(11)] == pytest.approx(theirs, abs=1e-12)


def test_the_teacher_follows_after_the_optimizers_step():
    """With a momentum of 0 it is where the student is now, not where it was."""
    before, after = trained(1, momentum=0.0, final_momentum=0.0)
    assert not torch.equal(*(parameters(each.student)[0] for each in (before, after)))
    ours, theirs = (
        parameters(after.network, after.head),
        parameters(after.student, after.student_head),
    )
    assert all(torch.equal(t, s) for t, s in zip(ours, theirs, strict=True))


def test_the_teacher_starts_as_a_copy_and_is_no_alias():
    dino = objective(encoder="resnet18")
    for teacher, student in ((dino.network, dino.student), (dino.head, dino.student_head)):
        pairs = list(zip(teacher.state_dict().items(), student.state_dict().items(), strict=True))
        assert all(a == b and torch.equal(t, s) for (a, t), (b, s) in pairs)
        assert {t.data_ptr() for (_, t), _ in pairs}.isdisjoint(s.data_ptr() for _, (_, s) in pairs)


def test_no_gradient_reaches_the_teacher_and_no_optimizer_has_it():
    dino = objective()
    dino(crops(), START)["distillation"].backward()
    teacher = [*dino.network.parameters(), *dino.head.parameters()]
    assert all(parameter.grad is None for parameter in teacher)
    assert all(p.grad.abs().sum() > 0 for p in dino.student_head.parameters())
    optimized = {id(p) for group in dino.parameter_groups() for p in group["params"]}
    student = [*dino.student.parameters(), *dino.student_head.parameters()]
    assert optimized == set(map(id, student))


@pytest.mark.parametrize(
    ("n_epochs", "frozen_prototypes", "moves"),
    [(1, 1.0, False), (1, 0.5, True), (2, 0.75, True), (2, 0.76, False), (1, 0.0, True)],
)
def test_prototypes_are_frozen_for_a_part_of_training(n_epochs, frozen_prototypes, moves):
    """Of two epochs of two steps, the last step begins at .75."""
    before, after = trained(n_epochs, frozen_prototypes=frozen_prototypes)
    for name in ("student_head", "head"):
        weights = [getattr(each, name).prototypes.weight for each in (before, after)]
        assert torch.equal(*weights) != moves
        assert not torch.equal(
            *(getattr(each, name).perceptron[0].weight for each in (before, after))
        )


def test_gradients_are_shortened_each_for_itself():
    dino = objective(largest_gradient=1e-3)
    (1e3 * dino(crops(), START)["distillation"]).backward()
    dino.before_update(Progress(1, 0, 0.5))
    norms = [p.grad.norm() for group in dino.parameter_groups() for p in group["params"]]
    torch.testing.assert_close(torch.stack(norms), torch.full((len(norms),), 1e-3))


def test_no_limit_leaves_gradients():
    dino = objective(largest_gradient=None)
    (1e3 * dino(crops(), START)["distillation"]).backward()
    before = dino.student_head.prototypes.weight.grad.clone()
    dino.before_update(Progress(1, 0, 0.5))
    assert torch.equal(dino.student_head.prototypes.weight.grad, before)


def test_weight_decay_rises_along_a_cosine_and_spares_vectors():
    dino = objective(encoder="tiny_vit")
    optimizer = make_optimizer("adamw", dino.parameter_groups(), learning_rate=1, weight_decay=0.04)
    for fraction, expected in ((0.0, 0.04), (0.5, 0.22), (1.0, 0.4)):
        follow_schedules(optimizer, lambda t: 1.0, fraction)
        decays = {
            p.ndim > 1: group["weight_decay"]
            for group in optimizer.param_groups
            for p in group["params"]
        }
        assert decays == {True: pytest.approx(expected), False: 0}


def test_views_are_two_large_and_many_small():
    first, second, *small = DINOPretrainer()._make_views()
    assert (first.blur_probability, second.blur_probability) == (1.0, 0.1)
    assert (first.solarize, second.solarize) == (0.0, 0.2)
    assert first.crop == second.crop == (0.4, 1.0)
    assert len(small) == 8
    image, generator = torch.rand(1, 3, 224, 224), torch.Generator().manual_seed(0)
    assert first(image, None, generator)[0].shape[2:] == (224, 224)
    assert all(view(image, None, generator)[0].shape[2:] == (96, 96) for view in small)
    assert {(view.crop, view.blur_probability) for view in small} == {((0.05, 0.4), 0.5)}


def test_views_of_one_size_are_embedded_together_in_their_order():
    network = classification_network(encoder="tiny", n_classes=0)
    sizes, calls = [(2, 3, s, s) for s in (8, 8, 5, 5, 5)], []
    images = [torch.rand(size) for size in sizes]
    network.register_forward_pre_hook(lambda _, given: calls.append(tuple(given[0].shape)))
    joint = embeddings(network, images)
    assert calls == [(4, 3, 8, 8), (6, 3, 5, 5)]
    torch.testing.assert_close(joint, torch.cat([network(image) for image in images]))


@pytest.mark.parametrize("both", [True, False])
def test_what_student_and_teacher_see(both):
    dino, seen = objective(student_sees_global=both), {"student": [], "network": []}
    for name, calls in seen.items():
        hook = getattr(dino, name).register_forward_pre_hook
        hook(lambda _, given, calls=calls: calls.append(given[0].shape[2]))
    dino(crops(local=5), START)
    assert seen == {"student": [8, 5] if both else [5], "network": [8]}


def test_watches_the_students_bottleneck():
    dino, batch = objective(), crops()
    dino(batch, START)
    z = torch.nn.functional.normalize(dino.student_head.perceptron(dino.student(batch["view_0"])))
    torch.testing.assert_close(dino.embedding_std, z.std(dim=0, correction=0).mean().detach())


def test_the_teachers_encoder_is_kept(shapes):
    dino = objective()
    assert dino.network is not dino.student
    assert not any(parameter.requires_grad for parameter in dino.network.parameters())
    # A teacher that never follows is what it was at the start, whatever the student learned.
    still = {"momentum": 1.0, "final_momentum": 1.0}
    one, two = (pretrainer(**still, max_epochs=n).fit(shapes.images) for n in (1, 2))
    np.testing.assert_array_equal(one.transform(shapes.images), two.transform(shapes.images))


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_learns(colors, encoder):
    fitted = pretrainer(
        encoder=encoder,
        n_prototypes=256,
        augmentation="flips",
        max_epochs=25,
        learning_rate=1e-3,
        frozen_prototypes=1.0,
    ).fit(colors)
    loss, std = fitted.history_["distillation"], fitted.history_["embedding_std"] * np.sqrt(16)
    assert loss[-1] < loss.max() - 0.3
    assert loss[-1] < math.log(256) - 0.5  # where nothing is told apart
    assert std[-1] > 0.8 > std[0]


def test_s4mi_trains(shapes):
    fitted = pretrainer(**S4MI, weight_decay=0.0, final_weight_decay=0.0).fit(shapes.images)
    assert np.isfinite(fitted.transform(shapes.images)).all()
    dino = objective(**S4MI)
    assert [dino.momentum(t) for t in (0.0, 0.5, 1.0)] == [0.9, 0.9, 0.9]
    assert dino.student_head.prototypes.bias is not None


def test_half_precision_trains(shapes):
    fitted = pretrainer(precision="bf16").fit(shapes.images)
    assert np.isfinite(fitted.transform(shapes.images)).all()


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
def test_constant_images():
    images = np.full((6, 12, 12), 7, dtype=np.uint8)
    assert np.isfinite(pretrainer().fit_transform(images)).all()


def test_collapse_is_named():
    images = np.full((6, 12, 12), 7, dtype=np.uint8)
    plain = Augmentation()
    with pytest.warns(CollapseWarning, match="epoch 0 of DINO"):
        pretrainer(augmentation=plain, max_epochs=1).fit(images)


def test_the_teachers_entropy_is_measured():
    dino, batch = objective(), crops()
    teacher = torch.cat([dino.head(dino.network(batch[f"view_{i}"])) for i in range(2)])
    dino(batch, START)
    expected = torch.distributions.Categorical(logits=teacher / 0.04).entropy().mean()
    torch.testing.assert_close(dino.measures()["teacher_entropy"], expected.detach())


@pytest.mark.filterwarnings("ignore:.*the embeddings:segclf.objectives.CollapseWarning")
def test_a_teacher_that_finds_all_prototypes_equally_likely_is_named():
    """Images that are all alike: what the center leaves of the teacher's scores is nothing."""
    images = np.full((8, 12, 12), 7, dtype=np.uint8)
    plain = {"augmentation": Augmentation(), "center_momentum": 0.0, "max_epochs": 3}
    with pytest.warns(CollapseWarning, match="all 64 prototypes equally likely.*4.159"):
        history = pretrainer(**plain).fit(images).history_
    assert history["teacher_entropy"][-1] == pytest.approx(math.log(64), rel=0.01)


@pytest.mark.parametrize(
    ("fraction", "entropy", "warns"), [(0.05, 1.0, 0), (0.9, 1.0, 1), (0.9, 0.98, 0)]
)
def test_an_equal_teacher_is_named_after_the_first_tenth(fraction, entropy, warns):
    dino = objective()
    dino.fraction = torch.tensor(fraction)
    row = {"epoch": 3, "distillation": 4.16, "embedding_std": 1.0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dino.after_epoch(row | {"teacher_entropy": entropy * math.log(64)})
    assert [each.category for each in caught] == [CollapseWarning] * warns


def test_the_recipe_for_resnets_trains(shapes):
    """As the public code recommends it; .0075 is .03 for 256 images at batches of 64."""
    recipe = {
        "optimizer": "sgd",
        "learning_rate": 0.0075,
        "weight_decay": 1e-4,
        "final_weight_decay": 1e-4,
        "global_crop": (0.14, 1),
        "local_crop": (0.05, 0.14),
        "teacher_temperature": 0.04,
    }
    first, _, *small = pretrainer(**recipe)._make_views()
    assert (first.crop, small[0].crop) == ((0.14, 1), (0.05, 0.14))
    fitted = pretrainer(encoder="test_resnet", **recipe, max_epochs=1).fit(shapes.images)
    assert np.isfinite(fitted.history_["distillation"]).all()
    dino = objective(**recipe)
    assert [dino.teacher_temperature(t) for t in (0.0, 0.5, 1.0)] == [0.04] * 3


def test_validation_and_early_stopping(shapes):
    fitted = pretrainer(validation_fraction=0.3, n_iter_no_change=2, max_epochs=3)
    history = fitted.fit(shapes.images).history_
    assert np.isfinite(history["validation_distillation"]).all()


def test_a_student_that_sees_nothing():
    with pytest.raises(ValueError, match="n_local_crops=0"):
        pretrainer(n_local_crops=0, student_sees_global=False).fit(np.zeros((4, 8, 8)))


def test_defaults_are_the_papers():
    default = DINOPretrainer()
    assert default.learning_rate == 5e-4 * default.batch_size / 256
    assert (default.weight_decay, default.final_weight_decay) == (0.04, 0.4)
    assert default.local_scale * 224 == pytest.approx(96)


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_it_is_handed_on(shapes, encoder):
    settings = {"encoder_rate": 0.0, "max_epochs": 1, "random_state": 0}
    model = ImageClassifier(
        encoder=encoder, pretrainer=pretrainer(encoder=None, max_epochs=1), **settings
    ).fit(shapes.images, shapes.target)
    assert_taken(model, encoder)


def test_it_is_handed_on_to_a_segmenter(shapes):
    settings = {"encoder_rate": 0.0, "max_epochs": 1, "random_state": 0}
    model = SupervisedSegmenter(
        encoder="tiny", pretrainer=pretrainer(encoder=None, max_epochs=1), **settings
    ).fit(shapes.images, shapes.masks)
    assert_taken(model, "tiny")


def assert_taken(model, encoder):
    theirs, ours = model.pretrainer_.network_, model.network_.state_dict()
    assert theirs.recipe["encoder"] == encoder
    names = [name for name in theirs.state_dict() if name.startswith("encoder.")]
    assert names
    assert set(names) <= set(model.transferred_["taken"])
    assert all(torch.equal(ours[name], theirs.state_dict()[name]) for name in names)
