"""Loaded by every Python that has this folder on its path: from then on its clock goes back a minute each second."""

import time

_clock, _began = time.time, time.time()
time.time = lambda: _began - 60 * (_clock() - _began)
