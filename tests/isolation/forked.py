"""Processes that are forked in the middle of something."""

import os
import signal


def in_child(function):
    """Return whether a forked process ends well, in ten seconds."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
