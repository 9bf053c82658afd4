"""Figures, each with the command that makes it: `make bench`, or `python -m bench NAME`."""
