"""The language wing: policy text in, checked program out. Pure: no clock, file, socket or thread."""
