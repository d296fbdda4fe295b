"""Makes the `guard` of `command` a fixture of every test here, and the Redis of the stores' tests as well."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from command import guard

_spec = spec_from_file_location("stores_conftest", Path(__file__).parents[1] / "stores" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_stores = module_from_spec(_spec)
_spec.loader.exec_module(_stores)

redis_url = _stores.redis_url

__all__ = ["guard", "redis_url"]
