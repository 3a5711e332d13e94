# SPDX-License-Identifier: MIT
"""Certificates of our own for 127.0.0.1, made anew for each test."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Certificate(NamedTuple):
    file: Path
    key: Path
    context: ssl.SSLContext  # of a server that shows it


def make_certificate(directory, name):
    """One that is its own authority."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    file, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", file, "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return Certificate(file, key, context)


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path, "server")
