"""From a RetinaNet to an ONNX file that is proved equal."""
