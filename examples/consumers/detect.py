"""Detect with an exported file and three libraries: python detect.py model.onnx photo.jpg"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
stored = session.get_modelmeta().custom_metadata_map
how, classes = json.loads(stored["focalcli.preprocess"]), json.loads(stored["focalcli.config"])["classes"]
photo = ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB")
resize, pad = how["resize"], how["pad"]
scale = min(resize["shorter_side"] / min(photo.size), resize["longer_side_at_most"] / max(photo.size))
width, height = (max(1, int(side * scale + 0.5)) for side in photo.size)
rows, columns = (-(-side // pad["multiple_of"]) * pad["multiple_of"] for side in (height, width))
canvas = np.full((rows, columns, 3), pad["rgb"], np.uint8)
canvas[:height, :width] = photo.resize((width, height), Image.Resampling.BILINEAR)
count, boxes, scores, labels = session.run(None, {"images": canvas.transpose(2, 0, 1)[None]})
back = np.array([photo.width / width, photo.height / height] * 2)
for box, score, label in zip((boxes[0] * back)[: count[0]], scores[0], labels[0], strict=False):
    corners = np.clip(box, 0, [*photo.size, *photo.size]).round(3).tolist()
    print(json.dumps({"box": corners, "score": round(float(score), 5), "class": classes[label]["name"]}))
