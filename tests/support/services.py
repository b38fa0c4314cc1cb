"""The index cards of all processes, by name."""

from deploy.documents.cards import cards

SERVICES = {card.name: card for card in cards()}
