"""A GPU driver that hangs, as one does while it resets a GPU."""

from __future__ import annotations

import threading
from typing import Any

import pynvml
import pytest
from pytest_django import Settings

from modelwright.compute import announcing, gpu_reading, watcher
from modelwright.compute.gpu_reading import HANGS, HANGS_SECONDS, Reader
from modelwright.compute.gpus import Gpu, GpuReading
from modelwright.compute.models import Host

READING = GpuReading(driver="580", gpus=(Gpu(0, "GPU-a", name="H100"),))


class Driver:
    """Answers at once, or once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, source: str) -> GpuReading:
        self.asked += 1
        self.may_answer.wait(60)
        return READING


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_reading, "PATIENCE_SECONDS", 0.05)


def until_read(reader: Reader) -> None:
    assert reader._asker._asking is not None
    reader._asker._asking.join(60)


def test_what_was_read_holds_while_the_driver_hangs_and_then_nothing_new_is_given_a_gpu() -> None:
    now, driver = 0.0, Driver()
    reader = Reader(driver, lambda: now)
    driver.may_answer.clear()
    assert reader.reading("") is None
    driver.may_answer.set()
    until_read(reader)
    assert reader.reading("") == READING
    driver.may_answer.clear()
    now += gpu_reading.FRESH_SECONDS
    assert reader.reading("") == READING
    now += HANGS_SECONDS
    silent = reader.reading("")
    assert silent is not None
    assert (silent.problem, [(gpu.uuid, gpu.problem) for gpu in silent.gpus]) == (HANGS, [("GPU-a", HANGS)])
    assert driver.asked == 2, "it is asked again when it has answered"
    driver.may_answer.set()
    until_read(reader)
    assert reader.reading("") == READING


@pytest.mark.django_db
def test_a_host_whose_gpu_driver_hangs_gives_its_sign_of_life(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HOST_GPUS = ""
    over, answered = threading.Event(), threading.Event()

    def hangs(*_: Any) -> None:
        over.wait(10)
        answered.set()
        raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)

    monkeypatch.setattr(pynvml, "nvmlInit", hangs)
    monkeypatch.setattr(announcing, "READER", Reader())
    watcher.heartbeat()
    assert not answered.is_set()
    assert Host.objects.get().facts["gpu_problem"] == HANGS
    over.set()
    assert answered.wait(60)
