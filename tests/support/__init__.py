"""What tests run against: real servers, a real browser, real sinks."""
