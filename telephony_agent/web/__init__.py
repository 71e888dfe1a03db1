"""The Starlette application: webhooks, the media socket and the API."""
