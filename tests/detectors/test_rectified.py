"""Triton's kernels are taken where they can be compiled; where not, that is said once. tests/cuda holds the rest."""

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from subprocess import CalledProcessError
from types import ModuleType, SimpleNamespace
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest

from core.detectors.rectified import triton_version


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    triton_version.cache_clear()
    yield
    triton_version.cache_clear()


def _install(monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> None:
    class Driver:
        @property
        def active(self) -> Any:
            if failure is not None:
                raise failure
            return SimpleNamespace(get_current_target=lambda: "cuda:90")

    triton: Any = ModuleType("triton")
    triton.__spec__ = ModuleSpec("triton", None)
    triton.__version__ = "3.6.0"
    triton.runtime = SimpleNamespace(driver=Driver())
    monkeypatch.setitem(sys.modules, "triton", triton)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (RuntimeError("Failed to find C compiler.\nMore of it"), r"\(Failed to find C compiler\.\)"),
        (CalledProcessError(1, ["/usr/bin/gcc", "main.c"]), r"\(/usr/bin/gcc fails\)"),
        (ImportError("libcuda.so.1: no such file"), r"\(libcuda.so.1: no such file\)"),
        (AssertionError(), r"\(AssertionError\)"),
    ],
)
def test_a_triton_that_cannot_compile_is_told_once(
    failure: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, failure)
    with pytest.warns(RuntimeWarning, match=f"Triton compiles no kernels here {told}"):
        assert triton_version() is None
    with catch_warnings():
        simplefilter("error")
        assert triton_version() is None


def test_one_that_can_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, None)
    assert triton_version() == "3.6.0"


def test_none_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    with catch_warnings():
        simplefilter("error")
        assert triton_version() is None
