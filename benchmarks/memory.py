"""Peak memory of a forward and backward pass, each contestant in a fresh process.

On the CPU it is the largest resident set during the pass less the resident set before it: everything the pass needs at
once, output, gradients and the libraries' own buffers included, weights and input excluded. A pass of one step on one
sequence comes before, so that code, thread pools and compiled operations are already loaded. glibc is told to return
what is freed. On CUDA it is what torch's allocator says.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from benchmarks.config import LayerConfig
from benchmarks.passes import forward_backward
from benchmarks.registry import contestants
from benchmarks.results import ROOT

MIB = 2**20
# Blocks from 64 KiB are mapped one by one and returned at once; no arenas of freed memory for each thread.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}


class MemoryUnknown(RuntimeError):
    """The peak cannot be told; the message says why."""


def resident(key: str) -> int:
    """``VmRSS`` (resident set) or ``VmHWM`` (its largest size so far) of this process, in bytes.

    Raises:
        MemoryUnknown: if the system does not tell.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise MemoryUnknown(f"peak memory cannot be measured here: /proc/self/status has no {key}")


def start_new_peak() -> None:
    """Let ``VmHWM`` start again at the present size, where the system permits it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return  # resident_peak finds out whether the old peak hides the new one


def return_freed_memory() -> None:
    """Give freed memory back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def peaks(call: Callable[[], object], passes: int, device: str = "cpu") -> list[int]:
    """Bytes that a call needs at its peak, for each of some calls in a row.

    Beyond what was in use before the first of them, so that what a call leaves behind for the next one counts. A call's
    result counts too, and is dropped after it.

    Raises:
        MemoryUnknown: if the system does not tell.
    """
    measure_peak = cuda_peak if torch.device(device).type == "cuda" else resident_peak
    return_freed_memory()
    before = torch.cuda.memory_allocated(device) if measure_peak is cuda_peak else resident("VmRSS")
    return [measure_peak(call, device) - before for _ in range(passes)]


def cuda_peak(call: Callable[[], object], device: str) -> int:
    """Most bytes that torch had allocated at any time during a call."""
    torch.cuda.reset_peak_memory_stats(device)
    call()
    return torch.cuda.max_memory_allocated(device)


def resident_peak(call: Callable[[], object], device: str) -> int:
    """Largest resident set during a call, in bytes."""
    return_freed_memory()
    start_new_peak()
    now, old_peak = resident("VmRSS"), resident("VmHWM")
    call()
    peak = resident("VmHWM")
    if peak == old_peak > now + MIB:
        raise MemoryUnknown("peak memory cannot be measured here: an earlier peak hides it and cannot be reset")
    return peak


def measure_here(name: str, config: LayerConfig, *, passes: int, authors_code: Path | None) -> list[int]:
    """Bytes for each of some forward and backward passes of a contestant, in this process, which should be fresh."""
    contestant = contestants(authors_code)[name]
    forward_backward(contestant, replace(config, steps=1, batch=1))()
    return peaks(forward_backward(contestant, config), passes, config.device)


def measure(name: str, config: LayerConfig, *, passes: int, authors_code: Path | None = None) -> list[float]:
    """The same in MiB, measured in a fresh process with as many threads as this one.

    Raises:
        MemoryUnknown: if the process fails; with the last line it wrote.
    """
    job = {
        "name": name,
        "config": asdict(config),
        "passes": passes,
        "threads": torch.get_num_threads(),
        "authors_code": None if authors_code is None else str(authors_code.absolute()),
    }
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(job)]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **MALLOC}, capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"status {result.returncode}"])[-1]
        raise MemoryUnknown(f"memory of {name}: {reason}")
    return [size / MIB for size in json.loads(result.stdout.splitlines()[-1])]


def main(argv: list[str] | None = None) -> int:
    """Measure the contestant that the argument describes, and print the bytes of each pass; for :func:`measure`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="JSON")
    job = json.loads(parser.parse_args(argv).job)
    torch.set_num_threads(job["threads"])
    authors_code = None if job["authors_code"] is None else Path(job["authors_code"])
    sizes = measure_here(job["name"], LayerConfig(**job["config"]), passes=job["passes"], authors_code=authors_code)
    print(json.dumps(sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
