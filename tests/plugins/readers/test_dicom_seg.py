"""Segmentation objects are masks on the grid of their images, and masks become such objects."""

import warnings

import numpy as np
import pytest

from segclf.data import (
    as_images,
    as_masks,
    check_mask_sizes,
    load_header,
    load_image,
    load_mask,
    slice_paths,
)

highdicom = pytest.importorskip("highdicom")
import pydicom  # noqa: E402
from dicom_files import MARK, OBLIQUE, dataset, enhanced, write, write_series  # noqa: E402
from segclf_plugins.readers import read_dicom_seg, write_dicom_seg  # noqa: E402

GENERATOR = np.random.default_rng(0)
VOLUME = GENERATOR.integers(-1000, 1000, (6, 16, 12)).astype(np.int16)
IDS = np.zeros(VOLUME.shape, dtype=np.uint8)
IDS[1:4, 2:9, 3:7], IDS[3:5, 10:14, 5:11] = 1, 2


@pytest.fixture(autouse=True)
def _their_own_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def scan(tmp_path):
    write_series(tmp_path / "scan", VOLUME)
    return tmp_path / "scan"


def written(path, sources, pixels, kind, n_segments=2, **options):
    """A segmentation as another program writes it."""
    code = highdicom.sr.CodedConcept("52988006", "SCT", "Lesion")
    segments = [
        highdicom.seg.SegmentDescription(number, MARK, code, code, "MANUAL")
        for number in range(1, n_segments + 1)
    ]
    about = {"series_instance_uid": highdicom.UID(), "series_number": 1, "instance_number": 1}
    about |= {"sop_instance_uid": highdicom.UID(), "manufacturer": "a", "software_versions": "1"}
    about |= {"manufacturer_model_name": "a", "device_serial_number": "1"}
    highdicom.seg.Segmentation(sources, pixels, kind, segments, **about, **options).save_as(path)
    return path


def sources_of(scan):
    found = [pydicom.dcmread(path) for path in scan.iterdir()]
    return sorted(found, key=lambda data: data.InstanceNumber)


def test_ids_there_and_back(scan, tmp_path):
    seg = tmp_path / "seg.dcm"
    write_dicom_seg(seg, IDS, scan, names=["polyp", "vessel"])
    mask = read_dicom_seg(seg, scan)
    assert mask.axes == "dhw"
    np.testing.assert_array_equal(mask.array, IDS)
    data = highdicom.seg.segread(seg)
    assert [str(data.get_segment_description(n).segment_label) for n in (1, 2)] == [
        "polyp",
        "vessel",
    ]
    referenced = data.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    instances = {each.SOPInstanceUID for each in sources_of(scan)}
    assert {each.ReferencedSOPInstanceUID for each in referenced} == instances
    assert data.FrameOfReferenceUID == sources_of(scan)[0].FrameOfReferenceUID
    # of its own grid, it has the slices from its first finding to its last
    own = load_mask(seg)
    np.testing.assert_array_equal(own.array, IDS[1:5])
    assert load_header(seg).depth == 4
    np.testing.assert_allclose(own.affine, load_header(f"{scan}[z=1]").affine, atol=1e-4)
    theirs = data.get_volume(combine_segments=True)
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])  # theirs may lead the other way
    order = slice(None, None, int(np.sign(theirs.affine[:3, 0] @ normal)))
    np.testing.assert_array_equal(theirs.array[order], IDS[1:5])


def test_an_empty_slice_thickness(tmp_path):
    write_series(tmp_path / "scan", VOLUME, SliceThickness=None)
    write_dicom_seg(tmp_path / "seg.dcm", IDS, tmp_path / "scan", names=["polyp", "vessel"])
    np.testing.assert_array_equal(
        read_dicom_seg(tmp_path / "seg.dcm", tmp_path / "scan").array, IDS
    )


def test_as_masks_of_the_slices_it_has(scan, tmp_path):
    seg = tmp_path / "seg.dcm"
    write_dicom_seg(seg, IDS, scan, names=["polyp", "vessel"])
    images = as_images(slice_paths(scan)[1:5])
    masks = as_masks(slice_paths(seg), 4)
    check_mask_sizes(images, masks)
    np.testing.assert_array_equal(masks[2], IDS[3])
    with pytest.raises(ValueError, match=r"Mask 0 .*seg\.dcm.*lies 2\.5 mm from Image 0"):
        check_mask_sizes(as_images(slice_paths(scan)[:4]), masks)
    with pytest.raises(ValueError, match=r"seg\.dcm.*a segmentation, not an image"):
        load_image(seg)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_label_maps_of_another_program(scan, tmp_path, kind):
    seg = written(tmp_path / "seg.dcm", sources_of(scan), IDS, kind)
    mask = read_dicom_seg(seg, scan)
    assert mask.axes == "dhw"
    np.testing.assert_array_equal(mask.array, IDS)


def test_fractional_is_a_finding_from_a_half_on(scan, tmp_path):
    shares = np.where(IDS == 1, GENERATOR.random(IDS.shape), 0)[..., None]
    shares = np.round(shares * 255) / 255
    seg = written(tmp_path / "seg.dcm", sources_of(scan), shares, "FRACTIONAL", 1)
    np.testing.assert_array_equal(read_dicom_seg(seg, scan).array, shares[..., 0] >= 0.5)


def test_segments_that_overlap_are_channels(scan, tmp_path):
    both = np.stack([IDS == 1, np.roll(IDS == 1, 2, axis=1)]).astype(np.uint8)
    assert (both.sum(axis=0) == 2).any()
    seg = tmp_path / "seg.dcm"
    write_dicom_seg(seg, both, scan, names=["polyp", "vessel"])
    mask = read_dicom_seg(seg, scan)
    assert mask.axes == "kdhw"
    np.testing.assert_array_equal(mask.array, both)
    part = load_mask(f"{seg}[z=0]")
    assert part.axes == "khw"
    np.testing.assert_array_equal(part.array, both[:, 1])
    assert as_masks(slice_paths(seg), 3).multilabel


def test_one_image(tmp_path):
    path = write(
        tmp_path / "a.dcm",
        VOLUME[0],
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[0.5, 0.5],
        SliceThickness=2,
    )
    write_dicom_seg(tmp_path / "seg.dcm", IDS[3], path, names=["polyp", "vessel"])
    mask = read_dicom_seg(tmp_path / "seg.dcm", path)
    assert mask.axes == load_mask(tmp_path / "seg.dcm").axes == "hw"
    np.testing.assert_array_equal(mask.array, IDS[3])
    masks = as_masks([tmp_path / "seg.dcm"], 1)
    check_mask_sizes(as_images([path]), masks)


def test_frames_of_an_enhanced_file(tmp_path):
    order = [3, 0, 5, 1, 4, 2]
    data = enhanced(VOLUME[order], 2.5 * np.array(order))
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    write_dicom_seg(tmp_path / "seg.dcm", IDS, tmp_path / "a.dcm", names=["polyp", "vessel"])
    np.testing.assert_array_equal(
        read_dicom_seg(tmp_path / "seg.dcm", tmp_path / "a.dcm").array, IDS
    )


def test_another_grid_is_refused(scan, tmp_path):
    write_dicom_seg(tmp_path / "seg.dcm", IDS, scan, names=["polyp", "vessel"])
    write_series(tmp_path / "finer", VOLUME, spacing=(0.4, 0.75))
    write_series(tmp_path / "thicker", VOLUME, step=2.0)
    write_series(tmp_path / "smaller", VOLUME[:, :8])
    write_series(tmp_path / "shorter", VOLUME[:3])
    for name in ("finer", "thicker", "shorter"):
        with pytest.raises(ValueError, match=r"seg\.dcm.*is on no slice of its image"):
            read_dicom_seg(tmp_path / "seg.dcm", tmp_path / name)
    with pytest.raises(ValueError, match=r"16 x 12 pixels, but its image has 8 x 12"):
        read_dicom_seg(tmp_path / "seg.dcm", tmp_path / "smaller")
    with pytest.raises(ValueError, match="it is not a segmentation object"):
        read_dicom_seg(next(scan.iterdir()), scan)


@pytest.mark.parametrize(
    ("mask", "names", "message"),
    [
        (IDS[:5], ["a", "b"], r"shape \(5, 16, 12\), but its image has \(6, 16, 12\)"),
        (IDS, ["a"], "2 findings in the mask and 1 names"),
        (IDS[None], ["a", "b"], "1 findings in the mask and 2 names"),
        (IDS.astype(int) - 1, ["a", "b"], "values other than 0 to 2"),
        (IDS * 0.5, ["a", "b"], "values other than 0 to 2"),
        (IDS[None], ["a"], "values other than 0 to 1"),
    ],
)
def test_what_cannot_be_written(scan, tmp_path, mask, names, message):
    with pytest.raises(ValueError, match=rf"Cannot write .*seg\.dcm.*{message}"):
        write_dicom_seg(tmp_path / "seg.dcm", mask, scan, names=names)
    assert not (tmp_path / "seg.dcm").exists()


def test_nothing_of_the_patient_is_said(scan, tmp_path):
    seg = written(tmp_path / "seg.dcm", sources_of(scan), IDS, "BINARY")
    content = seg.read_bytes()
    assert MARK.encode() in content
    said = [repr(load_mask(seg)), repr(read_dicom_seg(seg, scan))]
    for length in range(300, len(content), 211):
        seg.write_bytes(content[:length])
        for read in (load_mask, load_header, lambda path: read_dicom_seg(path, scan)):
            try:
                said.append(repr(read(seg)))
            except ValueError as error:
                said.append(repr(error))
    data = dataset(VOLUME[0])
    del data.PatientID
    data.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match=r"Cannot write") as caught:
        write_dicom_seg(seg, IDS[0], tmp_path / "b.dcm", names=["a", "b"])
    said.append(repr(caught.value))
    assert len(said) > 20
    assert [text for text in said if "MARK" in text] == []
