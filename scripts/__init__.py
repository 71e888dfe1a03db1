"""What a developer or a new user runs from a checkout."""
