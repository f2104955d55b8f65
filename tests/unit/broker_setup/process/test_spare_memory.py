"""Memory that large blocks took goes back, whatever small ones were made beside them."""

import subprocess
import sys
import textwrap

import pytest

MIB = 1024 * 1024


def kept_after_large_blocks(first: str) -> int:
    """Let a process make and drop blocks of 16 MiB, each with a small one after it that stays; return what it keeps."""
    code = f"""
    import ctypes, psutil
    from concurrent.futures import ThreadPoolExecutor
    from broker_setup.process.spare_memory import give_spare_memory_back
    {first}
    me = psutil.Process()
    before = me.memory_info().rss

    def use(_):
        kept = []
        for _ in range(4):
            blocks = [bytearray(b"x") * (16 * {MIB}) for _ in range(4)]
            kept.append(bytearray(b"x") * 2_000)
            del blocks
        return kept

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(use, range(4)))
        print(me.memory_info().rss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="it is about glibc")
def test_what_large_blocks_took_is_given_back() -> None:
    assert kept_after_large_blocks("give_spare_memory_back()") < 10 * MIB
