"""The family: one ground truth, written by hand in every format, and laid out in a folder.

Three photos: `a.png`, 200 x 100, with a cat from 20, 10 to 60, 50 and a dog in the whole; `b.png`, 50 x 40, with a
dog from 10, 20 to 30, 40; `c.png`, 64 x 64, with a cat from 0, 0 to 32, 16.
"""

import json
from pathlib import Path

from PIL import Image as Photo

from focalcli.dataset.formats import table

SIZES = {"a": (200, 100), "b": (50, 40), "c": (64, 64)}
TRUTH = {
    "a": {("cat", 20, 10, 60, 50), ("dog", 0, 0, 200, 100)},
    "b": {("dog", 10, 20, 30, 40)},
    "c": {("cat", 0, 0, 32, 16)},
}

COCO = {
    "images": [
        {"id": 4, "file_name": "a.png", "width": 200, "height": 100},
        {"id": 7, "file_name": "b.png", "width": 50, "height": 40},
        {"id": 9, "file_name": "c.png", "width": 64, "height": 64},
    ],
    "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 4, "category_id": 17, "bbox": [20, 10, 40, 40], "area": 1600, "iscrowd": 0},
        {"id": 2, "image_id": 4, "category_id": 18, "bbox": [0, 0, 200, 100], "area": 20000, "iscrowd": 0},
        {"id": 3, "image_id": 7, "category_id": 18, "bbox": [10, 20, 20, 20], "area": 400, "iscrowd": 0},
        {"id": 4, "image_id": 9, "category_id": 17, "bbox": [0, 0, 32, 16], "area": 512, "iscrowd": 0},
    ],
}


def voc(name, width, height, *objects):
    """One-based and inclusive: the first pixel is 1, the last pixel of the box belongs to it."""
    boxes = "".join(
        f"<object><name>{label}</name><bndbox>"
        f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, x0, y0, x1, y1 in objects
    )
    return (
        f"<annotation><filename>{name}.png</filename><source><database>The VOC2007 Database</database></source>"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>{boxes}</annotation>"
    )


def labelme(name, *shapes):
    return {
        "version": "5.5.0",
        "shapes": [{"label": label, "points": points, "shape_type": kind} for label, kind, points in shapes],
        "imagePath": f"{name}.png",
        "imageData": None,
        "imageWidth": SIZES[name][0],
        "imageHeight": SIZES[name][1],
    }


def task(number, name, *boxes):
    width, height = SIZES[name]
    return {
        "id": number,
        "data": {"image": f"/data/upload/3/0a1b2c3d-{name}.png"},
        "annotations": [
            {
                "result": [
                    {
                        "type": "rectanglelabels",
                        "original_width": width,
                        "original_height": height,
                        "value": {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [label]},
                    }
                    for label, x, y, w, h in boxes
                ]
            }
        ],
    }


def via(name, *boxes):
    regions = [
        {
            "shape_attributes": {"name": "rect", "x": x, "y": y, "width": w, "height": h},
            "region_attributes": {"class": label},
        }
        for label, x, y, w, h in boxes
    ]
    return {f"{name}.png99": {"filename": f"{name}.png", "size": 99, "regions": regions, "file_attributes": {}}}


def createml(name, *boxes):
    return {
        "image": f"{name}.png",
        "annotations": [
            {"label": label, "coordinates": {"x": x, "y": y, "width": w, "height": h}} for label, x, y, w, h in boxes
        ],
    }


DEPTH = "-1 -1 -1 -1000 -1000 -1000 -10"
FAMILY = {
    "coco": {"annotations.json": COCO},
    "voc": {
        "Annotations/a.xml": voc("a", 200, 100, ("cat", 21, 11, 60, 50), ("dog", 1, 1, 200, 100)),
        "Annotations/b.xml": voc("b", 50, 40, ("dog", 11, 21, 30, 40)),
        "Annotations/c.xml": voc("c", 64, 64, ("cat", 1, 1, 32, 16)),
    },
    "yolo": {
        "data.yaml": "train: images\nval: images\nnames: [cat, dog]\n",
        "labels/a.txt": "0 0.2 0.3 0.2 0.4\n1 0.5 0.5 1 1\n",
        "labels/b.txt": "1 0.4 0.75 0.4 0.5\n",
        "labels/c.txt": "0 0.25 0.125 0.5 0.25\n",
    },
    "darknet": {
        "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n",
        "obj.names": "cat\ndog\n",
        "train.txt": "data/images/a.png\ndata/images/b.png\ndata/images/c.png\n",
        "images/a.txt": "0 0.2 0.3 0.2 0.4\n1 0.5 0.5 1 1\n",
        "images/b.txt": "1 0.4 0.75 0.4 0.5\n",
        "images/c.txt": "0 0.25 0.125 0.5 0.25\n",
    },
    "retinanet": {
        "a.csv": "images/a.png,20,10,60,50,cat\nimages/a.png,0,0,200,100,dog\n"
        "images/b.png,10,20,30,40,dog\nimages/c.png,0,0,32,16,cat\n",
        "classes.csv": "cat,0\ndog,1\n",
    },
    "tfod": {
        "a.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,200,100,cat,20,10,60,50\n"
        "a.png,200,100,dog,0,0,200,100\nb.png,50,40,dog,10,20,30,40\nc.png,64,64,cat,0,0,32,16\n"
    },
    "tfod, in fractions": {
        "a.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,200,100,cat,0.1,0.1,0.3,0.5\n"
        "a.png,200,100,dog,0,0,1,1\nb.png,50,40,dog,0.2,0.5,0.6,1\nc.png,64,64,cat,0,0,0.5,0.25\n"
    },
    "labelme": {
        "images/a.json": labelme(
            "a", ("cat", "polygon", [[20, 10], [60, 30], [40, 50]]), ("dog", "rectangle", [[200, 0], [0, 100]])
        ),
        "images/b.json": labelme("b", ("dog", "circle", [[20, 30], [20, 40]])),
        "images/c.json": labelme("c", ("cat", "mask", [[0, 0], [31, 15]])),
    },
    "cvat": {
        "annotations.xml": '<annotations><image id="0" name="a.png" width="200" height="100">'
        '<box label="cat" xtl="20.00" ytl="10.00" xbr="60.00" ybr="50.00"/>'
        # 100 wide and 200 high about the centre of the photo, a quarter turn: the whole photo.
        '<box label="dog" xtl="50.00" ytl="-50.00" xbr="150.00" ybr="150.00" rotation="90.0"/></image>'
        '<image id="1" name="b.png" width="50" height="40">'
        '<ellipse label="dog" cx="20" cy="30" rx="10" ry="10"/></image>'
        '<image id="2" name="c.png" width="64" height="64"><polygon label="cat" points="0,0;32,0;32,16"/></image>'
        "</annotations>"
    },
    "hf": {
        "metadata.jsonl": '{"file_name": "images/a.png", "objects": {"bbox": [[20, 10, 40, 40], [0, 0, 200, 100]],'
        ' "categories": ["cat", "dog"]}}\n'
        '{"file_name": "images/b.png", "objects": {"bbox": [[10, 20, 20, 20]], "categories": ["dog"]}}\n'
        '{"file_name": "images/c.png", "objects": {"bbox": [[0, 0, 32, 16]], "categories": ["cat"]}}\n'
    },
    "createml": {
        "a.json": [
            createml("a", ("cat", 40, 30, 40, 40), ("dog", 100, 50, 200, 100)),
            createml("b", ("dog", 20, 30, 20, 20)),
            createml("c", ("cat", 16, 8, 32, 16)),
        ]
    },
    "label-studio": {
        "a.json": [
            task(1, "a", ("cat", 10, 10, 20, 40), ("dog", 0, 0, 100, 100)),
            task(2, "b", ("dog", 20, 50, 40, 50)),
            task(3, "c", ("cat", 0, 0, 50, 25)),
        ]
    },
    "via": {
        "a.json": {
            **via("a", ("cat", 20, 10, 40, 40), ("dog", 0, 0, 200, 100)),
            **via("b", ("dog", 10, 20, 20, 20)),
            **via("c", ("cat", 0, 0, 32, 16)),
        }
    },
    "open-images": {
        "boxes.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\na,x,/m/1,1,0.1,0.3,0.1,0.5\n"
        "a,x,/m/2,1,0,1,0,1\nb,x,/m/2,1,0.2,0.6,0.5,1\nc,x,/m/1,1,0,0.5,0,0.25\n",
        "classes.csv": "/m/1,cat\n/m/2,dog\n",
    },
    "kitti": {
        "label_2/a.txt": f"cat 0 0 -10 20 10 60 50 {DEPTH}\ndog 0 0 -10 0 0 200 100 {DEPTH}\n",
        "label_2/b.txt": f"dog 0 0 -10 10 20 30 40 {DEPTH}\n",
        "label_2/c.txt": f"cat 0 0 -10 0 0 32 16 {DEPTH}\n",
    },
}
WRITABLE = sorted(name for name in table.FORMATS if table.load(name).INFO.can_write)


def lay(root: Path, member: str) -> Path:
    for name, content in FAMILY[member].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    folder = {"voc": "JPEGImages"}.get(member, "images")
    for name, size in SIZES.items():
        (root / folder).mkdir(exist_ok=True)
        Photo.new("L", size).save(root / folder / f"{name}.png")
    return root
