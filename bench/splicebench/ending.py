"""How a program of the measuring ends at a signal: in order, with all that it made
taken away."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def end_at_signal(number, _frame):
    """Leaves through the context managers, which take away what was made; a second signal would stop them at it."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def catch_signals():
    for number in SIGNALS:
        # nohup(1) has it ignored, and it stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end_at_signal)
