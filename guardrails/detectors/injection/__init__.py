"""Injection: how much a text reads like instructions to a model.

Takes a whole text, gives a score and the reasons for it. The one idea: several kinds of witness (phrases, marks,
hidden characters, links, layers of encoding, models) are asked apart and joined as independent. It is a signal.
What limits an agent is what it is allowed to do.
"""

from __future__ import annotations

from guardrails.detectors.injection.detector import SUSPICIOUS, InjectionDetector
from guardrails.detectors.injection.signal import Reason, Signal

__all__ = ["SUSPICIOUS", "InjectionDetector", "Reason", "Signal"]
