"""Which device computes, and in which number format. Training and inference ask here."""

import torch

from focalcli.errors import Unavailable


def pick_device(name: str) -> torch.device:
    """Give the device of this name; `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        Unavailable: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        fact = str(error).splitlines()[0] if str(error) else "cannot be used"
        raise Unavailable(f"device {name}", fact, "see `focalcli doctor`, or use --device auto") from error
    return device


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Give the number format of the network: `auto` takes bfloat16 where the device computes it natively."""
    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu":
        known = torch.cpu.get_capabilities()
        native = known.get("avx512_bf16") or known.get("amx_bf16") or known.get("bf16")
        return torch.bfloat16 if native else torch.float32
    return torch.float32
