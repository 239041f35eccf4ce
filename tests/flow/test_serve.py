"""`pinrail serve` as a service manager sees it. What could go wrong: a process that did not stop in order, and may have left
work undone, is passed over in silence, and the whole says that all is well. How: one of them is held, so that its stop is
sure to be still on its way when it is killed."""

import os
import pathlib
import signal

from pinrail import wait_until


def has_pending(pid, number):
    """Whether the signal was sent and has not been taken yet."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    pending = next(line.split()[1] for line in status if line.startswith("ShdPnd:"))
    return int(pending, 16) >> (number - 1) & 1


def test_a_stop_in_order_is_a_success(serve):
    serve.process.send_signal(signal.SIGTERM)
    assert serve.process.wait(60) == 0
    assert "instead of stopping" not in serve.output()


def test_a_process_that_dies_while_it_stops_is_told(serve):
    lakehouse = serve.pid("lakehouse")
    os.kill(lakehouse, signal.SIGSTOP)
    serve.process.send_signal(signal.SIGTERM)
    wait_until(lambda: has_pending(lakehouse, signal.SIGTERM))
    os.kill(lakehouse, signal.SIGKILL)
    assert serve.process.wait(60) == os.EX_SOFTWARE
    assert "lakehouse was ended by signal 9 (Killed) instead of stopping" in serve.output()
