"""HOW a call is placed: one seam, one folder per carrier. Imports nothing of `dialer` or `scheduler`."""
