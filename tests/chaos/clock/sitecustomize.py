"""A process whose clock is off by `CLOCK_OFF` seconds: Python runs this file before anything else.

Put this folder first on the process's PYTHONPATH. The ways in which Python code asks for the time
of day are shifted, and so are UUIDs that are made of it; steady clocks, which count seconds and
know no time of day, are not, as they would not be on a machine whose clock is wrong.
"""

import contextlib
import ctypes
import datetime
import gc
import os
import time


def _shift(seconds: float) -> None:
    right_time, right_time_ns = time.time, time.time_ns
    right_clock = time.clock_gettime
    right_gmtime, right_localtime = time.gmtime, time.localtime
    right_strftime = time.strftime

    def now() -> float:
        return right_time() + seconds

    def clock_gettime(clock: int) -> float:
        return right_clock(clock) + (seconds if clock == time.CLOCK_REALTIME else 0)

    time.time = now
    time.time_ns = lambda: right_time_ns() + round(seconds * 1e9)
    time.clock_gettime = clock_gettime
    time.gmtime = lambda at=None: right_gmtime(now() if at is None else at)
    time.localtime = lambda at=None: right_localtime(now() if at is None else at)
    time.strftime = lambda form, at=None: right_strftime(form, at or time.localtime())

    # In the class itself, which is written in C: a subclass in its place would not be the class
    # of the values that C code makes, and isinstance would tell.
    methods = gc.get_referents(datetime.datetime.__dict__)[0]
    methods["now"] = classmethod(lambda cls, tz=None: cls.fromtimestamp(time.time(), tz))
    methods["utcnow"] = classmethod(lambda cls: cls.utcfromtimestamp(time.time()))
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))

    with contextlib.suppress(ImportError):
        import uuid_utils.compat

        right_uuid7 = uuid_utils.compat.uuid7
        setattr(uuid_utils.compat, "uuid7", lambda: right_uuid7(nanoseconds=time.time_ns()))  # noqa: B010


if _off := float(os.environ.get("CLOCK_OFF") or 0):
    _shift(_off)
