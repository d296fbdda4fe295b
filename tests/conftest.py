"""Settings of all tests: random tests draw the same examples every time, so that a red run says something
about the change and not about the draw. `GUARD_SOAK=1` draws anew."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW_MACHINE = [HealthCheck.too_slow]

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=SLOW_MACHINE)
settings.register_profile("soak", deadline=None, suppress_health_check=SLOW_MACHINE)
settings.load_profile("soak" if os.environ.get("GUARD_SOAK") else "steady")
