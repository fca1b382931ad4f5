"""COCO's 80 classes by the ids its files use; ids in between belong to no class. cocodataset.org, 2017."""

from focalcli.config import ClassInfo

_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
).split(",")

COCO_NAMES: dict[int, str] = dict(zip((i for i in range(1, 91) if i not in _UNUSED), _NAMES, strict=True))


def coco_classes() -> tuple[ClassInfo, ...]:
    """Give the 80 classes in the order of their ids."""
    return tuple(ClassInfo(name, number) for number, name in COCO_NAMES.items())
