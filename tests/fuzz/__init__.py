"""The mutation fuzzer: policies that are nearly right, and events that no host should send.

A case is a number; the same number gives the same case, so that any failure can be run again alone and a
long run can be taken up where it stopped.
"""
