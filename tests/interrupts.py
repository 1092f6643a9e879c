"""Ctrl-C in tests that start programs."""

import signal


def hear_interrupts() -> None:
    """`preexec_fn` of a program: a shell that starts the tests in the background makes its children deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
