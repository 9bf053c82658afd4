"""The commands of the command line, one per file: SENTENCE says what it does, `options` adds its arguments, `main` does it."""
