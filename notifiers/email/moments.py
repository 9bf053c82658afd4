"""What a mail is about."""

MOMENTS = ("store_closed", "confirm_email", "reset_password", "email_changed", "webhook_disabled")
"""There is a text and a page for each, and one for whatever else a plugin sends: its body has a `subject` and a `text`."""
TOLD = ("joined", "almost", "called")
"""What a party is told: the same, with a page that shows the number and leads to its place."""
