"""The services: each owns its database, and they meet only through events."""
