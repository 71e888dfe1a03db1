"""``telephony-agent doctor``: what stands between this machine and a ringing phone, and how each fault is mended."""
