"""Fixtures of the flow tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from pinrail import Serve  # noqa: E402


@pytest.fixture
def serve(tmp_path):
    """A running pipeline, both processes, with objects closed every half second."""
    with Serve(tmp_path / "data", settings={"lake-rotate-schedule-interval-ms": 500}) as running:
        yield running


@pytest.fixture
def ingest(tmp_path):
    """The ingest process alone: log and doors."""
    with Serve(tmp_path / "data", role="ingest") as running:
        yield running
