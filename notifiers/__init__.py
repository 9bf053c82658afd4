"""The built-in notifiers: one way to reach a person each, found by their entry points as anybody's plugin is."""
