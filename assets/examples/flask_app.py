# SPDX-License-Identifier: MIT
"""A small Flask application that costs some CPU: what flask-gunicorn.ini scales."""

import os
import time

from flask import Flask

WORK_S = 0.01

app = Flask(__name__)


@app.get("/")
def index():
    end = time.thread_time() + WORK_S
    while time.thread_time() < end:
        pass
    return f"hello from {os.getpid()}\n"


@app.get("/health")
def health():
    return "ok\n"
