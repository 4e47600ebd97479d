"""The support desk: issues, comments, attachments, and the clocks of a promised answer."""
