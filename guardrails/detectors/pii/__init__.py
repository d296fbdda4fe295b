"""Personal data in texts: addresses, numbers, codes, dates and, with a model, names.

Takes a text, gives matches under the entity names of Presidio. See `detector` for how.
"""

from __future__ import annotations

from guardrails.detectors.entities import DEFAULT, NAMED_BY_MODEL, needs_model
from guardrails.detectors.pii.custom import Custom
from guardrails.detectors.pii.detector import PiiDetector
from guardrails.detectors.presidio_names import model_present

__all__ = ["DEFAULT", "NAMED_BY_MODEL", "Custom", "PiiDetector", "model_present", "needs_model"]
