"""Privacy's pure decisions: what a request may become, and until when it must be answered."""
