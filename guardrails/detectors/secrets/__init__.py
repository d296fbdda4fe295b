"""Secrets: keys, tokens, passwords and private keys in a text.

Takes a text, gives matches. The one idea: a cheap look for literals says which rules can match at all, each
rule then reads only the few characters around its literal, and arithmetic (checksums, decoding, counting
letters) decides. As every decision is that local, a stream can be filtered with the result of the whole.
"""

from __future__ import annotations

from guardrails.detectors.secrets.detector import ENTITIES, SecretDetector

__all__ = ["ENTITIES", "SecretDetector"]
