"""The server: sockets that are cheap and bounded, requests with deadlines, and an end that says goodbye."""
