"""The servers that the fan-out figures compare: a small file each, and one way to tell them what to do (`control`)."""
