"""Jobs for the pool's tests; light to import, since every worker does."""

import os
import signal
import time

from audiocodec.errors import CodecError


def double(value, step):
    step("double")
    return 2 * value


def refuse(step):
    step("refuse")
    raise CodecError("no such thing")


def fail(step):
    step("fail")
    raise ZeroDivisionError("by zero")


def crash(step):
    step("first")
    step("second")
    os.kill(os.getpid(), signal.SIGSEGV)


def quit_silently(step):
    os._exit(3)


def hang(step):
    step("hang")
    time.sleep(60)


def threads(step):
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def slot(step):
    return int(os.environ["AUDIOCODEC_WORKER"])
