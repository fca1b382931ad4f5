"""How good the network is now: detections of the validation split, measured as `focalcli evaluate` does."""

from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.metrics import Metrics
from focalcli.evaluation.predict import predict
from focalcli.images.sizes import MAX_PIXELS
from focalcli.inference.dealing import Deal
from focalcli.inference.torch_runtime import TorchRuntime
from focalcli.ranks.world import World


def validate(model: RetinaNet, dataset: Dataset, world: World, *, precision: str, batch: int) -> Metrics:
    """Measure a network on a data set, its photos dealt to the ranks; the network is left as it was.

    Every rank gets the same numbers. Photos are dealt without padding, so that none counts twice.
    """
    was_training = model.training
    runtime = TorchRuntime(model, device=str(world.device), precision=precision)
    found = predict(runtime, dataset, batch=batch, max_pixels=MAX_PIXELS, deal=Deal(world))
    model.train(was_training)
    return evaluate(dataset, found.predictions)
