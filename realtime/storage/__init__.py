"""Where the rows are: one contract for operations, and the two databases that run them."""
