"""Streamable HTTP, in both eras of the protocol: toward clients (`server`, `serving`) and toward servers (`client`)."""
