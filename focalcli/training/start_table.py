"""What became of every tensor when a training started: kept, mapped by class, or new."""

from focalcli.detection.retinanet import RetinaNet
from focalcli.training.weights import Start

# Parts of the network by the beginning of their tensors' names, the first that fits.
_PARTS = {
    "backbone.body.": "backbone",
    "backbone.fpn.": "pyramid",
    "head.classification_head.cls_logits": "class logits",
    "head.classification_head.": "class tower",
    "head.regression_head.": "box head",
}


def fates(start: Start) -> dict[str, str]:
    """Give kept, mapped or new for each tensor's name."""
    lists = {"kept": start.kept, "mapped": start.mapped, "new": start.new}
    return {name: fate for fate, names in lists.items() for name in names}


def summary(start: Start) -> str:
    """Say part by part how many tensors were kept, mapped by class name and new."""
    counts: dict[str, dict[str, int]] = {}
    for name, fate in fates(start).items():
        part = next((title for prefix, title in _PARTS.items() if name.startswith(prefix)), "rest")
        own = counts.setdefault(part, {})
        own[fate] = own.get(fate, 0) + 1
    parts = [f"{part} " + ", ".join(f"{n} {fate}" for fate, n in own.items()) for part, own in counts.items()]
    return f"weights from {start.origin}; tensors: " + "; ".join(parts)


def table(start: Start, model: RetinaNet) -> str:
    """Give a CSV with a line for each tensor: name, shape, fate."""
    own, known = model.state_dict(), fates(start)
    lines = [f"{name},{'x'.join(map(str, tensor.shape))},{known[name]}" for name, tensor in own.items()]
    return "\n".join(["tensor,shape,fate", *lines]) + "\n"
