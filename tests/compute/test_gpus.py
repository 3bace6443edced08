"""What a machine says of its GPUs, from recorded answers of the driver."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from modelwright.compute.gpus import Gpu, GpuReading, as_json, read_gpus

RECORDING = Path(__file__).parent / "recordings" / "h100.json"
H100 = GpuReading(
    driver="580.159.04",
    nvml="13.580.159.04",
    cuda="13.0",
    gpus=(
        Gpu(
            index=0,
            uuid="GPU-98abbdd9-0669-4cca-668c-9740e5427161",
            name="NVIDIA H100 80GB HBM3",
            memory_bytes=85520809984,
            used_bytes=503316480,
            utilisation=0,
            temperature=42,
            power_watts=73.2,
        ),
    ),
)


class Driver:
    """The driver's answers as they were recorded on a machine with one H100; a test changes some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        memory = SimpleNamespace(total=85520809984, used=503316480)
        self.answer("nvmlInit", None)
        self.answer("nvmlShutdown", None)
        self.answer("nvmlSystemGetDriverVersion", "580.159.04")
        self.answer("nvmlSystemGetNVMLVersion", "13.580.159.04")
        self.answer("nvmlSystemGetCudaDriverVersion", 13000)
        self.answer("nvmlDeviceGetCount", 1)
        self.answer("nvmlDeviceGetHandleByIndex", object())
        self.answer("nvmlDeviceGetUUID", "GPU-98abbdd9-0669-4cca-668c-9740e5427161")
        self.answer("nvmlDeviceGetName", "NVIDIA H100 80GB HBM3")
        self.answer("nvmlDeviceGetMemoryInfo", memory)
        self.answer("nvmlDeviceGetMigMode", [0, 0])
        self.answer("nvmlDeviceGetUtilizationRates", SimpleNamespace(gpu=0, memory=0))
        self.answer("nvmlDeviceGetTemperature", 42)
        self.answer("nvmlDeviceGetPowerUsage", 73202)

    def answer(self, question: str, value: Any) -> None:
        def ask(*_: Any) -> Any:
            return value

        self._monkeypatch.setattr(pynvml, question, ask)

    def refuse(self, question: str, code: int) -> None:
        def ask(*_: Any) -> Any:
            raise pynvml.NVMLError(code)

        self._monkeypatch.setattr(pynvml, question, ask)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(monkeypatch)


def test_an_h100_is_read_as_it_was_recorded(driver: Driver) -> None:
    assert read_gpus() == H100


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_a_machine_without_a_driver_has_no_gpus_and_no_trouble(driver: Driver, code: int) -> None:
    driver.refuse("nvmlInit", code)
    assert read_gpus() == GpuReading()


@pytest.mark.parametrize("question", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_answers_with_an_error_is_told(driver: Driver, question: str) -> None:
    driver.refuse(question, pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)
    reading = read_gpus()
    assert reading.gpus == ()
    assert "version mismatch" in reading.problem


def test_a_gpu_with_mig_switched_on_is_listed_and_not_for_use(driver: Driver) -> None:
    driver.answer("nvmlDeviceGetMigMode", [1, 1])
    (gpu,) = read_gpus().gpus
    assert gpu.mig
    assert "MIG is on" in gpu.problem


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED])
def test_a_gpu_that_fell_off_the_bus_is_listed_and_not_for_use(driver: Driver, code: int) -> None:
    driver.refuse("nvmlDeviceGetHandleByIndex", code)
    (gpu,) = read_gpus().gpus
    assert gpu.index == 0
    assert "does not answer" in gpu.problem


def test_what_a_gpu_does_not_tell_is_unknown_and_no_trouble(driver: Driver) -> None:
    for question in ("nvmlDeviceGetMigMode", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates"):
        driver.refuse(question, pynvml.NVML_ERROR_NOT_SUPPORTED)
    (gpu,) = read_gpus().gpus
    assert (gpu.mig, gpu.power_watts, gpu.utilisation, gpu.problem) == (False, None, None, "")
    assert gpu.temperature == 42


def test_a_recording_stands_for_the_machine(tmp_path: Path) -> None:
    assert read_gpus(str(RECORDING)) == H100
    again = tmp_path / "again.json"
    again.write_text(as_json(H100))
    assert read_gpus(str(again)) == H100


def test_none_is_none_whatever_the_machine_has(driver: Driver) -> None:
    assert read_gpus("none") == GpuReading()


@pytest.mark.parametrize("text", ["", "[]", '{"gpus": [{"size": 1}]}', '{"wheels": 4}'])
def test_a_recording_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    assert "cannot be used" in read_gpus(str(path)).problem
    assert "cannot be used" in read_gpus(str(tmp_path / "missing")).problem
