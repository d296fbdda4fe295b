"""Where values came from: an index over everything that a session has seen.

Takes the payloads of events with labels on their leaves; gives, for a value of a later event, the leaves that
it appeared in. The one idea: the index answers two questions of unlike weight. "Is this the same value?" is
answered strictly, by forms that keep the identity of a value, because permission may rest on it. "Is this
related?" is answered generously and only explains. What neither finds has no source, and whoever asks takes it
to come from anywhere.
"""

from __future__ import annotations

from guardrails.provenance.index import Index
from guardrails.provenance.parts import Part, Source

__all__ = ["Index", "Part", "Source"]
