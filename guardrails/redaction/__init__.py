"""Redaction: what goes on in place of what detectors and patterns found.

Takes texts, JSON values or streams and rules, each of which says who finds, where, and by which method it is
replaced; gives the same text or shape without what was found, and counts of what that was. All rules of a
decision are applied together, so that their order means nothing (law L1), and a stream gives what its whole
would give (law L8).
"""
