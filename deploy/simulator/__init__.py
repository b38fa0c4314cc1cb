"""Plays the providers' side, so that everything can be run and tried without an account anywhere."""
