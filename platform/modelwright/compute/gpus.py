"""The GPUs of this machine, read through NVIDIA's management library. No Django.

`read_gpus()` is the one way in, and never raises: a machine without a driver has no GPUs and no trouble, a driver that
answers with an error has no GPUs and says why in `GpuReading.problem`, a GPU that does not answer (fallen off the bus,
waiting for a reset) is listed with `Gpu.problem` and is given to nobody.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pynvml

NO_GPUS = "none"
MIG_REMEDY = "MIG is on, and whole GPUs alone are given out. Switch it off with `nvidia-smi -mig 0`."

_Error = pynvml.NVMLError
# These say that the machine has no NVIDIA GPU for us at all; anything else is trouble that somebody should know of.
_NO_DRIVER = (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Bytes, percent, degrees Celsius, watts; None where the GPU does not say.

    `problem` is why it is given to nobody, empty for a GPU that can be used.
    """

    index: int
    uuid: str = ""
    name: str = ""
    memory_bytes: int = 0
    used_bytes: int | None = None
    utilisation: int | None = None
    temperature: int | None = None
    power_watts: float | None = None
    mig: bool = False
    problem: str = ""

    def identity(self) -> dict[str, Any]:
        """What of it changes only when somebody changes the machine."""
        names = ("index", "uuid", "name", "memory_bytes", "mig", "problem")
        return {name: getattr(self, name) for name in names}

    def load(self) -> dict[str, Any]:
        """What of it changes all the time."""
        names = ("index", "used_bytes", "utilisation", "temperature", "power_watts")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class GpuReading:
    """All GPUs of a machine at one moment. Versions are empty without a driver; `cuda` is written `13.0`."""

    driver: str = ""
    nvml: str = ""
    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def read_gpus(source: str = "") -> GpuReading:
    """What this machine has. `source` is empty for NVML, `none`, or the path of a recorded reading.

    A recorded reading is the JSON of `as_json`; one that cannot be read is a reading with a problem.
    """
    if source == NO_GPUS:
        return GpuReading()
    return _recorded(Path(source)) if source else _nvml()


def as_json(reading: GpuReading) -> str:
    """The reading, to be recorded."""
    return json.dumps(asdict(reading), indent=1)


def _recorded(path: Path) -> GpuReading:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return GpuReading(**{**value, "gpus": tuple(Gpu(**gpu) for gpu in value.get("gpus", []))})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return GpuReading(problem=f"The recorded reading {path} cannot be used: {error}")


def _nvml() -> GpuReading:
    try:
        pynvml.nvmlInit()
    except _Error as error:
        return GpuReading() if error.value in _NO_DRIVER else GpuReading(problem=_said(error))
    try:
        cuda = pynvml.nvmlSystemGetCudaDriverVersion()
        return GpuReading(
            driver=_text(pynvml.nvmlSystemGetDriverVersion()),
            nvml=_text(pynvml.nvmlSystemGetNVMLVersion()),
            cuda=f"{cuda // 1000}.{cuda % 1000 // 10}",
            gpus=tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())),
        )
    except _Error as error:
        return GpuReading(problem=_said(error))
    finally:
        _ask(pynvml.nvmlShutdown)


def _gpu(index: int) -> Gpu:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid, name = _text(pynvml.nvmlDeviceGetUUID(handle)), _text(pynvml.nvmlDeviceGetName(handle))
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except _Error as error:
        return Gpu(index, problem=f"It does not answer: {_words(error)}.")
    # [now, after the next reset]; a GPU that knows no MIG refuses the question.
    mig = bool((_ask(pynvml.nvmlDeviceGetMigMode, handle) or [0])[0])
    rates = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    milliwatts = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    return Gpu(
        index=index,
        uuid=uuid,
        name=name,
        memory_bytes=int(memory.total),
        used_bytes=int(memory.used),
        utilisation=None if rates is None else int(rates.gpu),
        temperature=_ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        power_watts=None if milliwatts is None else round(milliwatts / 1000, 1),
        mig=mig,
        problem=MIG_REMEDY if mig else "",
    )


def _ask(question: Any, *arguments: Any) -> Any:
    """The answer, None where this GPU or driver has none."""
    try:
        return question(*arguments)
    except _Error:
        return None


def _said(error: Exception) -> str:
    return f"The GPU driver answers: {_words(error)}."


def _words(error: Exception) -> str:
    return str(error).rstrip(".")


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
