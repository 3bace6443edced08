"""The front-end files are locked, complete and served as they were published."""

import json

import pytest

from modelwright.local import frontend
from modelwright.local.layout import REPOSITORY


def test_the_lock_names_no_registry_and_pins_every_file() -> None:
    lock = json.loads((REPOSITORY / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert all("resolved" not in package for package in packages.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())


@pytest.mark.parametrize(
    "content",
    [b"body{}\n/*# sourceMappingURL=a.min.css.map */", b"f();\n//# sourceMappingURL=a.min.js.map\n"],
)
def test_the_name_of_a_map_that_is_not_served_is_left_out(content: bytes) -> None:
    assert b"sourceMappingURL" not in frontend.SOURCE_MAP.sub(b"\n", content)


def test_every_served_file_is_there() -> None:
    if not frontend.is_current():
        frontend.supply()
    assert all((frontend.VENDOR / name).stat().st_size > 0 for name in frontend.FILES)
