"""Detectors: what in a text is personal, secret or an attempt at instruction.

Takes texts, gives matches: where, what, how sure and why. A detector knows nothing of policies; what is done
about a match is the runtime's. Every detector also says up to where a text that is still growing is settled,
so that a stream can be filtered with the same result as the whole.
"""
