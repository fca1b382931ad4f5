"""How many ways to change a photo are drawn once and for all; cached features can serve no others."""

from focalcli.errors import ConfigError
from focalcli.train_config import TrainConfig

_USUAL_VIEWS = 4
_FREEZE = "add --freeze backbone, or leave --cache-features out"
_FIX = "say how many fixed --views of a photo to keep, or --augment none --flip none"


def fixed_views(config: TrainConfig) -> int:
    """Give how many drawings of a photo the epochs take in turns; 0 where each epoch draws anew.

    Raises:
        ConfigError: cached features of a backbone that is trained, or of photos that change every epoch or step.
    """
    cached, changed = config.cache_features is not None, (config.augment, config.flip) != ("none", "none")
    if cached and config.freeze != "backbone":
        raise ConfigError("--cache-features", f"the backbone is trained (--freeze {config.freeze})", _FREEZE)
    if cached and changed and config.views == 0:
        raise ConfigError("--cache-features", "photos that change every epoch are never seen twice", _FIX)
    if cached and config.multi_scale:
        raise ConfigError("--cache-features", "--multi-scale gives photos another size each time", "leave one out")
    usual = (_USUAL_VIEWS if changed else 1) if cached else 0
    return usual if config.views is None else config.views
