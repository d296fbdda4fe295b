"""Documentation that runs: the examples of the language reference and of the README, read and tried out."""
