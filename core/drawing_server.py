"""Loaded by the server that makes the processes which draw batches; importing it anywhere else would disable Ctrl-C.

Ctrl-C reaches all programs of a terminal. It is for the training, which ends them; before they have loaded, they would
answer it with a page of where they were.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

import pandas  # noqa: E402, F401  pyarrow loads it when a table is opened

import core.drawing  # noqa: E402, F401
