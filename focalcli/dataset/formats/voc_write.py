"""Writing Pascal VOC, one-based as the devkit."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from focalcli.dataset.formats.voc_file import CROWD_FLAGS, EXTENSIONS, STAMP
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import stem
from focalcli.dataset.sink import Sink
from focalcli.dataset.types import Dataset, Flag, Image, Ints


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `Annotations/`, `JPEGImages/` and `ImageSets/Main/`, one-based as the devkit, with our stamp."""
    names = file_names(dataset, sink, stems=True, shared=True)
    crowds = int(((dataset.boxes.flags & CROWD_FLAGS.value) != 0).sum())
    sink.loss("medium", "crowd regions are written as difficult objects", crowds)
    bounds = _one_based(dataset)
    moved = np.abs(bounds - [1, 1, 0, 0] - dataset.boxes.xyxy).max(axis=1, initial=0.0)
    sink.loss("info", f"edges move by up to {moved.max(initial=0.0):.2g} px", int((moved > 0).sum()))
    for image, rows in rows_of(dataset, np.arange(len(dataset.images))):
        photo = dataset.images[image]
        sink.image(photo, f"JPEGImages/{names[image]}")
        if photo.labelled or rows.start < rows.stop:
            root = _element(dataset, photo, names[image], rows, bounds)
            sink.bytes(f"Annotations/{stem(names[image])}.xml", tostring(root, encoding="utf-8") + b"\n")
    for split, positions in split_groups(dataset).items():
        if split:
            sink.text(f"ImageSets/Main/{split}.txt", "".join(f"{stem(names[i])}\n" for i in positions))


def _one_based(dataset: Dataset) -> Ints:
    """Give (n, 4) inclusive whole pixels from 1, rounding halves up; a box keeps at least the pixel of its centre."""
    xyxy = dataset.boxes.xyxy
    limits = np.array([(image.width, image.height) for image in dataset.images]).reshape(-1, 2)[dataset.boxes.image]
    low, high = np.floor(xyxy[:, :2] + 0.5) + 1, np.floor(xyxy[:, 2:] + 0.5)
    centre = np.floor((xyxy[:, :2] + xyxy[:, 2:]) / 2) + 1
    lost = high < low
    low, high = np.where(lost, centre, low), np.where(lost, centre, high)
    return np.hstack([np.clip(low, 1, limits), np.clip(high, 1, limits)]).astype(np.int64)


def _element(dataset: Dataset, photo: Image, name: str, rows: slice, bounds: Ints) -> Element:
    """Give the XML of one photo."""
    root = Element("annotation")
    below, _, last = name.rpartition("/")
    SubElement(root, "folder").text = f"JPEGImages/{below}" if below else "JPEGImages"
    SubElement(root, "filename").text = last
    source = SubElement(root, "source")
    SubElement(source, "database").text = "Unknown"
    SubElement(source, "annotation").text = STAMP
    size = SubElement(root, "size")
    for tag, value in (("width", photo.width), ("height", photo.height), ("depth", 3)):
        SubElement(size, tag).text = str(value)
    SubElement(root, "segmented").text = "0"
    for row in range(rows.start, rows.stop):
        flags = int(dataset.boxes.flags[row])
        node = SubElement(root, "object")
        SubElement(node, "name").text = dataset.categories[int(dataset.boxes.category[row])].name
        SubElement(node, "pose").text = "Unspecified"
        SubElement(node, "truncated").text = str(int(bool(flags & Flag.TRUNCATED)))
        SubElement(node, "difficult").text = str(int(bool(flags & (Flag.DIFFICULT | CROWD_FLAGS))))
        for tag, flag in EXTENSIONS.items():
            if flags & flag:
                SubElement(node, tag).text = "1"
        box = SubElement(node, "bndbox")
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds[row].tolist(), strict=True):
            SubElement(box, tag).text = str(value)
    indent(root, "\t")
    return root
