"""What happens when, who takes part, and what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CALM: Final[Mapping[str, Any]] = {
    "seed": 7,
    "time_out_share": 0.01,
    "error_share": 0.02,
    "throttle_share": 0.02,
    "duplicate_share": 0.1,
    "shuffle": True,
    "delay_seconds": [0.3, 2],
    "read_share": 0.8,
}
"""A provider on an ordinary day."""
DOWN: Final[Mapping[str, Any]] = {**CALM, "down": True}


@dataclass(frozen=True, slots=True)
class Act:
    """A part of the morning. What it does not name stays as it was."""

    begins: float
    """When, as a share of the morning."""
    caption: str
    customers_per_minute: float
    presence: Mapping[str, str] = field(default_factory=dict)
    """Of agents, by name."""
    provider: Mapping[str, Any] = field(default_factory=lambda: CALM)


ACTS: Final = (
    Act(0, "The counter opens", 12, {"Ana": "online", "Bruno": "online", "Carla": "online"}),
    Act(0.2, "A rush: three times as many customers", 36),
    Act(0.4, "Lunch break: Ana and Bruno are away", 24, {"Ana": "away", "Bruno": "away"}),
    Act(
        0.6, "Ana and Bruno are back, and Carla goes home", 18, {"Ana": "online", "Bruno": "online", "Carla": "offline"}
    ),
    Act(0.7, "The provider is down: answers wait, and none is lost", 12, {"Carla": "online"}, DOWN),
    Act(0.9, "The provider is back: what waited leaves, in order", 0),
)


def act_at(share: float) -> Act:
    """The act that is played when this share of the morning has passed."""
    return next(act for act in reversed(ACTS) if act.begins <= share)


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who writes."""

    name: str
    number: str


def customers() -> Iterator[Customer]:
    """All who may write this morning, always the same."""
    for place, name in enumerate(_NAMES):
        yield Customer(name, str(5511970000001 + place))


_NAMES: Final = (
    "Maria Aparecida", "João Batista", "Rita Lopes", "Antônio Silva", "Beatriz Souza", "Carlos Nunes", "Débora Lima",
    "Eduardo Rocha", "Fernanda Dias", "Gustavo Melo", "Helena Prado", "Igor Castro", "Joana Reis", "Lucas Moreira",
    "Márcia Alves", "Nelson Teles", "Olívia Braga", "Paulo Freitas", "Renata Pires", "Sérgio Matos", "Tatiana Cruz",
    "Vitor Ramos", "Wanda Leal", "Yara Campos", "Zélia Duarte", "Alice Porto", "Bento Aguiar", "Clara Viana",
    "Davi Guerra", "Elisa Falcão", "Felipe Maia", "Glória Serra", "Hugo Bastos", "Inês Quintela", "Jorge Amaral",
    "Lívia Neves",
)  # fmt: skip

QUESTIONS: Final = (
    "Bom dia! O bolo já está pronto?",
    "Vocês entregam hoje ainda?",
    "Quanto custa a torta de limão?",
    "Meu pedido 42 não chegou.",
    "Posso trocar o sabor do bolo?",
    "Tem pão sem glúten?",
    "A que horas vocês fecham?",
    "Queria encomendar cem salgadinhos para sábado.",
)
REPLIES: Final = (
    "Bom dia! Já vejo isso.",
    "Está pronto às 15 h.",
    "Sim, entregamos até as 18 h.",
    "São 48 reais, e rende doze fatias.",
    "Encontrei o seu pedido: sai em dez minutos.",
    "Pode, sim. Qual sabor prefere?",
)
THANKS: Final = ("Obrigada!", "Perfeito, obrigado.", "E até que horas posso buscar?", "Ótimo! 🍰")
"""What customers write back."""
