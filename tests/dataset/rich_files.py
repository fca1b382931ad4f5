"""Annotation files that use what their formats have to offer; `fuzz` changes them."""

RICH: dict[str, dict[str, object]] = {
    "coco": {
        "instances_train2017.json": {
            "info": {"year": 2017},
            "images": [{"id": 4, "file_name": "images/a.png", "width": 200, "height": 100, "license": 1}],
            "categories": [{"id": 0, "name": "all"}, {"id": 7, "name": "cat", "supercategory": "all", "keypoints": []}],
            "annotations": [
                {"id": 1, "image_id": 4, "category_id": 7, "bbox": [1, 2, 30, 40], "iscrowd": 1, "score": 0.5,
                 "segmentation": {"counts": [1, 2], "size": [100, 200]}, "attributes": {"occluded": True, "x": [1]}},
                {"id": 2, "image_id": 4, "category_id": 7, "bbox": [1, 2, 30, 40], "ignore": 1,
                 "segmentation": [[1, 2, 3, 4, 5, 6]], "area": 7},
            ],
        }
    },
    "label-studio": {
        "project.json": [
            {"id": 1, "data": {"image": "/data/upload/1/0123abcd-a.png"}, "predictions": [{"result": []}],
             "annotations": [{"id": 3, "was_cancelled": False, "ground_truth": True, "updated_at": "2024", "result": [
                 {"type": kind, "original_width": 200, "original_height": 100, "image_rotation": 0, "from_name": "x",
                  "value": {"x": 10, "y": 10, "width": 20, "height": 30, "rotation": 33, "radiusX": 3, "radiusY": 4,
                            "points": [[1, 2], [3, 4], [5, 6]], kind: ["cat"], "format": "rle", "rle": [1, 2]}}
                 for kind in ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels")
             ]}]}
        ]
    },
    "cvat": {
        "annotations.xml": "<annotations><version>1.1</version><meta><task><labels><label><name>cat</name><attributes>"
        "<attribute><name>x</name></attribute></attributes></label></labels></task></meta>"
        '<image id="0" name="images/a.png" width="200" height="100" subset="train">'
        '<box label="cat" occluded="1" xtl="1" ytl="2" xbr="30" ybr="40" rotation="33">'
        '<attribute name="x">1</attribute>'
        '</box><polygon label="cat" points="1,2;3,4;5,6"/><ellipse label="cat" cx="9" cy="9" rx="3" ry="4"/>'
        '<mask label="cat" left="1" top="2" width="2" height="2" rle="0, 4"/><polyline label="cat" points="1,2;3,4"/>'
        '<tag label="cat"/><points label="cat" points="1,2"/></image></annotations>'
    },
    "labelme": {
        f"images/{name}.json": {
            "version": "5.5.0", "flags": {"x": True}, "imagePath": "..\\images\\a.png", "imageData": "aGk=",
            "imageHeight": 100, "imageWidth": 200,
            "shapes": [
                {"label": "cat", "points": [[1, 2], [30, 40], [9, 50]][:count], "group_id": group, "shape_type": kind,
                 "flags": {"difficult": True}, "description": "", "mask": None, "attributes": {"a": 1}}
                for kind, count, group in (("rectangle", 2, None), ("polygon", 3, 1), ("circle", 2, 1), ("mask", 2, 2),
                                           ("line", 2, None), ("point", 1, None), ("oriented_rectangle", 3, None))
            ],
        }
        for name in "a"
    },
    "via": {
        "via.json": {
            "_via_settings": {}, "_via_attributes": {"region": {"type": {"options": {"cat": "", "dog": ""}}}},
            "_via_img_metadata": {
                "a.png123": {"filename": "images/a.png", "size": 123, "file_attributes": {}, "regions": [
                    {"shape_attributes": {"name": kind, "x": 1, "y": 2, "width": 30, "height": 40, "cx": 9, "cy": 9,
                                          "r": 3, "rx": 3, "ry": 4, "theta": 0.5, "all_points_x": [1, 5, 9],
                                          "all_points_y": [2, 6, 3]},
                     "region_attributes": {"type": {"cat": True}, "other": "dog"}}
                    for kind in ("rect", "circle", "ellipse", "polygon", "polyline", "point")]},
            },
        }
    },
    "yolo": {
        "data.yaml": "path: .\ntrain: images\nval: [images, list.txt]\nkpt_shape: [2, 3]\nnames: {0: cat, '1': dog}\n",
        "list.txt": "./images/a.png\nimages/b.png\n",
        "labels/a.txt": "0 .5 .5 .1 .1\n1 .1 .1 .2 .2 .3 .3 .1 .2\n1.0 .5 .5 .2 .2 .9\n",
        "labels/b.txt": "0 .5 .5 .1 .1 .2 .2 2 .3 .3 1\n",
    },
    "hf": {
        "metadata.jsonl": '{"file_name": "images/a.png", "width": 200, "height": 100, "image_id": 3, "objects": '
        '{"bbox": [[1, 2, 3, 4]], "categories": [1], "id": [5], "area": [6.5], "iscrowd": [true], "difficult": [0]}}\n'
        '{"file_name": "images/b.png", "objects": {"bbox": [], "category": []}}\n',
        "README.md": "---\ndataset_info:\n  features:\n  - name: objects\n    sequence:\n    - name: categories\n"
        "      dtype:\n        class_label:\n          names:\n            '0': cat\n            '1': dog\n---\n# x\n",
    },
}  # fmt: skip
