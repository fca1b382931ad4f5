"""What a data set can say beyond classes and boxes, so that losses are computed and not remembered."""

from enum import StrEnum


class Feature(StrEnum):
    """Something some formats carry and others cannot."""

    NEGATIVES = "images without objects"
    UNLABELLED = "images not yet labelled"
    CROWD = "crowd, group and ignore regions"
    DIFFICULT = "difficult objects"
    TRUNCATED = "truncated or occluded objects"
    SEGMENTATION = "segmentations"
    SCORE = "scores"
    NAMES = "class names"
    CLASS_LIST = "classes without objects"
    SUPERCATEGORY = "supercategories"
    SOURCE_IDS = "image and annotation ids"
    SPLITS = "splits"
    SUBFOLDERS = "sub-folders of images"
    SIZES = "image sizes"
    SUBPIXEL = "fractions of a pixel"
    ATTRIBUTES = "attributes"
