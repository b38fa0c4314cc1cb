"""Routing decides who answers; for now it knows which conversations wait for an answer, and since when."""
