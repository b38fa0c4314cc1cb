"""Ingest is the edge to the channels: what providers post is verified, stored and told."""
