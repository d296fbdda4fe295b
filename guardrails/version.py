"""The version of the engine: part of every policy digest and of every cached program."""

VERSION = "0.1.0"
