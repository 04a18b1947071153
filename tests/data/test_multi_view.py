import pytest
import torch

from segclf.data import Augmentation, as_views, simclr_view, views

PAPER = (Augmentation(hue=1), Augmentation(hue=2))


def own(image, mask, generator):
    return image, mask


def test_none_is_the_default_of_each_view():
    assert as_views(None, PAPER) == PAPER


@pytest.mark.parametrize("spec", [own, PAPER[0]])
def test_a_single_one_is_for_all_views(spec):
    assert as_views(spec, PAPER) == (spec, spec)
    assert as_views(spec, PAPER[:1]) == (spec,)


def test_a_name_is_for_all_views():
    flips, again = as_views("flips", PAPER)
    assert repr(flips) == repr(again) == "Augmentation(horizontal_flip=0.5, vertical_flip=0.5)"


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_are_one_for_each_view(kind):
    assert as_views(kind([own, None]), PAPER) == (own, PAPER[1])


@pytest.mark.parametrize("spec", [(), (own,), [own, own, own]])
def test_another_number_of_views_is_an_error_that_names_both(spec):
    with pytest.raises(ValueError, match=f"has {len(spec)} entries; expected 2, one for each view"):
        as_views(spec, PAPER)


def test_errors_of_an_entry_are_those_of_an_augmentation():
    with pytest.raises(ValueError, match="No augmentation named 'flop'"):
        as_views(("flips", "flop"), PAPER)
    with pytest.raises(ValueError, match="hue is 200"):
        as_views(Augmentation(hue=200), PAPER)


def test_views_come_in_order_and_alone():
    of_batch = {f"view_{i}": torch.tensor(i) for i in reversed(range(12))}
    assert views({"image": torch.tensor(-1), **of_batch}) == list(range(12))
    assert views({"image": torch.tensor(-1)}) == []


def test_the_shared_view_blurs_as_the_papers_at_224_and_in_proportion_elsewhere():
    paper = Augmentation(**{**simclr_view().get_params(), "blur_reference_size": None})
    for size, scale in ((224, 1), (56, 1 / 4)):
        image = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
        scaled = tuple(scale * limit for limit in (0.1, 2.0))
        expected = Augmentation(**{**paper.get_params(), "blur": scaled})
        changed, by_hand = (
            view(image, None, torch.Generator().manual_seed(1))[0]
            for view in (simclr_view(), expected)
        )
        torch.testing.assert_close(changed, by_hand)
