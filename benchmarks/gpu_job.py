"""One real GPU job through the process backend, on a machine with an NVIDIA GPU and PyTorch.

    PYTHONPATH=.:platform python3 benchmarks/gpu_job.py

Starts a workload that trains a small network on the GPU that is reserved for it, one that is given none, one
that runs past its time on the GPU and one that fills the machine's memory, and prints what the backend says of each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from modelwright.compute.backends.base import Limits, Phase, WorkloadKey, WorkloadSpec, WorkloadStatus
from modelwright.compute.backends.process import ProcessBackend

TRAIN = """
import time, torch
torch.manual_seed(0)
device = torch.device("cuda")
print("sees", torch.cuda.device_count(), torch.cuda.get_device_name(0), flush=True)
x = torch.randn(65536, 512, device=device); y = (x[:, :8].sum(1) > 0).float()
net = torch.nn.Sequential(torch.nn.Linear(512, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 1)).to(device)
opt = torch.optim.Adam(net.parameters(), 1e-3)
begun = time.time()
for step in range(300):
    opt.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x).squeeze(1), y)
    loss.backward(); opt.step()
torch.cuda.synchronize()
print(f"300 steps in {time.time() - begun:.2f} s, loss {loss.item():.4f}, "
      f"peak {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB", flush=True)
"""
NONE = "import torch; print('sees', torch.cuda.device_count()); assert not torch.cuda.is_available()"
ENDLESS = """
import torch
a = torch.randn(8192, 8192, device="cuda"); print("on and on", flush=True)
while True:
    a = torch.nn.functional.normalize(a @ a)
"""
GREEDY = "held = []\nwhile True:\n    held.append(bytearray(100_000_000))"


def run(backend: ProcessBackend, name: str, code: str, gpus: list[int], limits: Limits) -> WorkloadStatus:
    """Run one workload to its end and print what is known of it."""
    key = WorkloadKey(str(uuid.uuid4()), 1)
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    environment |= {k: v for k, v in os.environ.items() if k.startswith(("LD_LIBRARY_PATH", "VIRTUAL_ENV"))}
    begun = time.time()
    backend.start(WorkloadSpec(key, [sys.executable, "-u", "-c", code], environment, limits, gpus=gpus))
    while (status := backend.status(key)) is None or status.phase is not Phase.ENDED:
        time.sleep(0.1)
    print(
        f"--- {name}: {status.cause}, exit code {status.exit_code}, signal {status.signal}, {time.time() - begun:.1f} s"
    )
    print(f"    {status.message}  peak memory {(status.peak_memory_bytes or 0) / 2**20:.0f} MiB")
    print("    " + backend.log_path(key).read_text(errors="replace").strip()[-600:].replace("\n", "\n    "))
    return status


def main() -> None:
    """Run the four workloads."""
    backend = ProcessBackend(Path(tempfile.mkdtemp(prefix="mwgpu-")))
    run(backend, "training on GPU 0", TRAIN, [0], Limits(cpu=4, timeout_seconds=120))
    run(backend, "given no GPU", NONE, [], Limits(cpu=4, timeout_seconds=120))
    run(backend, "past its time on the GPU", ENDLESS, [0], Limits(cpu=4, timeout_seconds=20))
    run(backend, "fills memory", GREEDY, [0], Limits(cpu=4, memory_bytes=2 * 2**30, timeout_seconds=120))


if __name__ == "__main__":
    main()
