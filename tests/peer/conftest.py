"""Fixtures of the tests against real engines and clients; the driver of the program is that of the flow tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "flow"))

from pinrail import BUILD, ROOT, Serve  # noqa: E402


@pytest.fixture
def peers():
    """The folder that tools/setup-peers fills."""
    return (BUILD if BUILD.is_absolute() else ROOT / BUILD) / "peers"


@pytest.fixture
def ingest(tmp_path):
    """The ingest process alone: log and doors."""
    with Serve(tmp_path / "data", role="ingest") as running:
        yield running
