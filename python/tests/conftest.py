"""Where the tests' device and files come from."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def source() -> Path:
    """The root of the project."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def queue():
    """A queue on PoCL's device, or on the first that there is."""
    cl = pytest.importorskip("pyopencl")
    devices = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    if not devices:
        pytest.skip("no OpenCL device")
    pocl = [d for d in devices if "Portable" in d.platform.name]
    return cl.CommandQueue(cl.Context([(pocl or devices)[0]]))
