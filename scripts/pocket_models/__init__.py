"""The makers of the pocket models: what callers and the agent say, how it sounds, and the two training loops."""
