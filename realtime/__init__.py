"""nowserving: a real-time waitlist. This package is its core."""
