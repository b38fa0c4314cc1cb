"""Routing decides who answers: queues, agents, offers, business hours, and what a customer is told while he waits."""
