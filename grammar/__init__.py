"""The grammar of the Guard language, `guard.lark`, and its reference, `README.md`."""
