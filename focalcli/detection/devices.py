"""Which device computes, and in which number format. Training and inference ask here."""

import ctypes
import sys

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
        tell = getattr(torch.cpu, "get_capabilities", None)  # before torch 2.11 it cannot tell, and computes in float32
        known = tell() if tell else {}
        native = known.get("avx512_bf16") or known.get("amx_bf16") or known.get("bf16")
        return torch.bfloat16 if native else torch.float32
    return torch.float32


def keep_memory() -> None:
    """Ask glibc to keep freed memory for the next step instead of giving it back to the kernel; elsewhere do nothing.

    A training step frees and takes gigabytes of activations; faulting them in anew cost a fifth of it (measured:
    lite0, 8 x 320 x 448, two cores: 812 ms without, 657 ms with, medians of alternating runs).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 64 << 20)):
            mallopt(option, value)


def free_memory() -> None:
    """Give back to the kernel what `keep_memory` has kept."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)
