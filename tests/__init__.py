"""The tests, laid out as the source is; `support` holds the real servers and browsers that they use."""
