"""The asyncio shell around the pure core: legs, lanes and the switchboard."""
