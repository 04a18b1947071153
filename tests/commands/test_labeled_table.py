import pytest

from segclf.commands.labeled_table import read_labeled_table


def write(folder, text):
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_columns_and_empty_cells(tmp_path):
    path = write(tmp_path, "image,label,mask,group,remark\na.png,1,m.png,p,x\nb.png,,,q,\n")
    table = read_labeled_table(path)
    assert table.images == [tmp_path / "a.png", tmp_path / "b.png"]
    assert table.labels == [1, None]
    assert table.masks == [tmp_path / "m.png", None]
    assert table.groups == ["p", "q"]


def test_labels_may_be_words_and_columns_missing(tmp_path):
    table = read_labeled_table(write(tmp_path, "image,label\n/a.png,ill\nb.png,1\n"))
    assert table.labels == ["ill", "1"]
    assert str(table.images[0]) == "/a.png"
    assert table.masks is table.groups is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,1\n", "no column 'image', only file, label"),
        ("", "no column 'image', only an empty file"),
        ("image\n", "no row"),
        ("image,group\na.png,p\nb.png,\n", "line 3: 'group' is empty"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_labeled_table(write(tmp_path, text))
