"""Conversation keeps the one history: contacts, conversations, messages and notes."""
