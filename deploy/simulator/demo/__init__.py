"""A lively morning at the counter, played against the running set and shown on the terminal."""
