"""The gateway is the front door: tenants, keys, and one API over all services."""
