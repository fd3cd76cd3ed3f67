"""What all tests share: a cache of their own, and seeded random numbers."""

from __future__ import annotations

import os

import numpy as np
import pytest

from agnesi import config
from agnesi.ir.op import OPS


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long; `make test-all` runs it")


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """Compiled functions of the tests live and die with the session, in this process and in those it starts."""
    folder = str(tmp_path_factory.mktemp("cache"))
    before = os.environ.get("AGNESI_CACHE_DIR")
    os.environ["AGNESI_CACHE_DIR"] = folder
    old = config.settings().cache_dir
    config.set(cache_dir=folder)
    yield folder
    config.set(cache_dir=old)
    if before is None:
        del os.environ["AGNESI_CACHE_DIR"]
    else:
        os.environ["AGNESI_CACHE_DIR"] = before


@pytest.fixture
def rng():
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20)


@pytest.fixture(autouse=True)
def _own_rows_are_forgotten():
    """Operations that a test declares are gone after it: tests of the table go through all there are."""
    before = set(OPS)
    yield
    for name in set(OPS) - before:
        del OPS[name]
