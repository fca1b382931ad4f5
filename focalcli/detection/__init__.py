"""The core: tensors in, tensors out. It reads no file, knows no data set and no command.

Shape letters: N images, R anchors of an image, A anchors per cell, C classes, M objects, K candidates, H x W cells.
Boxes are xyxy in pixels of the network frame unless a name says otherwise.
"""
