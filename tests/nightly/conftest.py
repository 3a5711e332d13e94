# SPDX-License-Identifier: MIT
"""What takes minutes: `make check-nightly`, once a night and before a release. The fixtures are those of tests/e2e."""

import importlib.util
import sys
from pathlib import Path

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
SPEC = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
MODULE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)
MODULE.TEST_TIMEOUT_S = 3600
globals().update({name: value for name, value in vars(MODULE).items() if not name.startswith("__")})
