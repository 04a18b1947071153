import pytest

from segclf.streaming import Shard


@pytest.mark.parametrize("n_images", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("n_shards", [1, 2, 7])
def test_shards_cover_all_images_once_in_whole_blocks(n_images, n_shards):
    parts = [Shard(number, n_shards).rows(n_images) for number in range(1, n_shards + 1)]
    assert [row for part in parts for row in part] == list(range(n_images))
    assert all(part.start % 64 == 0 for part in parts if part)


def test_a_shard_is_read_and_named():
    assert Shard.parse("3/16") == Shard(3, 16)
    assert Shard(3, 16).name("results") == "results-03-of-16"
    assert Shard().name("results") == "results"


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "-1/4"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match="expected i/n"):
        Shard.parse(text)
