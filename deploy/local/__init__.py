"""The local run: the real processes on one machine, with nothing installed but Python."""
