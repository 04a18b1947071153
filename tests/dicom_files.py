"""DICOM files that tests make: slices of a series, and one enhanced multi-frame file."""

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian

MARK = "MARKED^PATIENT"
SERIES, STUDY, FRAME = (f"1.2.826.0.1.3680043.8.498.{number}" for number in (1, 2, 3))
#: Directions along columns and rows of a plane that is none of the axes'.
OBLIQUE = [0.8, 0.6, 0, 0, 0, -1]


def dataset(array, kind=CTImageStorage, number=1, **attributes):
    """One image; (h, w) or (h, w, 3), or (n, h, w) of frames."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = kind, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"{SERIES}.{number}"
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = SERIES, STUDY, FRAME
    data.PatientName, data.PatientID, data.PatientBirthDate = MARK, MARK, "19700101"
    data.PatientSex, data.InstitutionName, data.StudyDescription = "O", MARK, MARK
    data.ReferringPhysicianName, data.OtherPatientIDs, data.PatientComments = MARK, MARK, MARK
    data.StudyID, data.AccessionNumber, data.SeriesDescription = MARK, MARK, MARK
    data.StudyDate, data.StudyTime, data.Modality = "20200101", "120000", "CT"
    data.SeriesNumber, data.InstanceNumber, data.Manufacturer = 1, number, MARK
    colour = array.shape[-1] == 3
    data.Rows, data.Columns = array.shape[-3:-1] if colour else array.shape[-2:]
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * array.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(array.dtype.kind == "i")
    data.PixelData = array.astype(array.dtype.newbyteorder("<")).tobytes()
    data["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    for name, value in attributes.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    return data


def write(path, *args, **attributes):
    """Write one image, and return its path."""
    dataset(*args, **attributes).save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder, volume, *, step=2.5, directions=OBLIQUE, spacing=(0.5, 0.75), **attributes
):
    """Write a volume (d, h, w) as slices, whose names are in no order."""
    folder.mkdir()
    normal = np.cross(directions[:3], directions[3:])
    paths = []
    for z, image in enumerate(volume):
        position = np.array([10.0, 20.0, 30.0]) + z * step * normal
        paths.append(folder / f"IM{(z * 7 + 3) % 10:03}{z % 3}")
        place = {
            "ImagePositionPatient": [round(float(p), 6) for p in position],
            "ImageOrientationPatient": list(directions),
            "PixelSpacing": list(spacing),
            "SliceThickness": step,
        }
        write(paths[-1], image, number=z + 1, **place | attributes)
    return paths


def enhanced(volume, positions, directions=OBLIQUE, spacing=(0.5, 0.75), slope=None):
    """An enhanced multi-frame image: frames at positions along the normal."""
    data = dataset(volume, EnhancedMRImageStorage, NumberOfFrames=len(volume))
    normal = np.cross(directions[:3], directions[3:])
    shared = Dataset()
    shared.PixelMeasuresSequence = items(PixelSpacing=list(spacing), SliceThickness=1)
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=list(directions))
    if slope is not None:
        shared.PixelValueTransformationSequence = items(
            RescaleSlope=slope, RescaleIntercept=-5, RescaleType="US"
        )
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for position in positions:
        frame = Dataset()
        frame.PlanePositionSequence = items(
            ImagePositionPatient=[round(float(p), 6) for p in position * normal]
        )
        frames.append(frame)
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return data


def items(**attributes):
    """A sequence of one item."""
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return Sequence([item])
