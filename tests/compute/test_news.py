"""A watcher hears of an end at once."""

from __future__ import annotations

from pathlib import Path

from pytest_django import Settings

from modelwright.compute import watcher
from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.process import ProcessBackend

from .backends_support import new_key, script, wait_for_end, wait_until


def test_the_end_of_a_process_is_news_once(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    news = watcher.News()
    assert not news()
    backend = ProcessBackend(tmp_path / "workloads")
    spec = script("pass")
    backend.start(spec)
    wait_for_end(backend, spec.key)
    wait_until(news, what="the news")
    assert not news()


def test_the_end_of_a_container_is_news_too(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    folders, news, key = Folders(tmp_path / "workloads"), watcher.News(), new_key()
    folders.create()
    folders.make(key)
    folders.write_ended(key, {"cause": Cause.SUCCEEDED.value})
    assert news()
    folders.write_ended(key, {"cause": Cause.FAILED.value})
    assert not news()
