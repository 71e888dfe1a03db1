"""Twilio's control plane: the documents that we answer webhooks with, and the signatures that we ask of them."""
