"""A large block is returned to the system, also after another one was."""

import ctypes
import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, sys
from shared import large_blocks

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
if sys.argv[1] == "kept_out":
    large_blocks.keep_out_of_heap()
del (first := [bytearray(16 << 20)])[:]
before = libc.mallinfo2().hblkhd
second = bytearray(4 << 20)
print(libc.mallinfo2().hblkhd - before)
"""


def mapped(how: str) -> int:
    """Return the bytes that a second large block adds to those outside the heap."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="it is glibc that has the threshold",
)
def test_the_second_large_block_stays_out_of_the_heap_too() -> None:
    assert mapped("kept_out") >= 4 << 20
    assert mapped("by_default") < 4 << 20, "then the call is no longer needed"
