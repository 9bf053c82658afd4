"""The built-in behaviours, written only against realtime's public names, and found by their entry points as anybody's plugin is."""
