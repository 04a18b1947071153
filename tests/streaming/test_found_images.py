import pytest

from segclf.streaming import open_images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.JPG", "more/c.tif", ".hidden.png", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def keys(names):
    images = open_images(names)
    return [images.key(index) for index in range(len(images))]


def test_folders_and_patterns_come_in_order(folder):
    assert keys(".") == ["./a.JPG", "./b.png", "./more/c.tif"]
    assert keys("*.png") == ["b.png"]
    assert keys(["b.png", "more"]) == ["b.png", "more/c.tif"]
    assert keys("**/*.tif") == ["more/c.tif"]


def test_lists_hold_paths_and_urls(folder):
    (folder / "list.txt").write_text("x.png\ns3://bucket/y.png\n")
    assert keys("list.txt") == ["x.png", "s3://bucket/y.png"]
    assert keys("s3://bucket/y.png") == ["s3://bucket/y.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["b.png", "list.txt"], "a mixture of .txt, image"),
        (["a.txt", "b.txt"], "several lists of paths"),
        ("nothing/*.png", r"'nothing/\*\.png': no image; expected images, or a folder"),
    ],
)
def test_what_is_no_sequence_of_images_is_refused(folder, names, message):
    with pytest.raises(ValueError, match=message):
        open_images(names)
