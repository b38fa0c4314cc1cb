"""The morning at the counter: its acts, and what the terminal shows of it."""

import io

import pytest
from rich.console import Console

from deploy.simulator.behaviour import Answers, Behaviour
from deploy.simulator.demo.screen import screen
from deploy.simulator.demo.script import ACTS, QUESTIONS, REPLIES, THANKS, act_at, customers
from deploy.simulator.demo.watch import Agent, Sent, Talk, View
from deploy.simulator.provider import Written


def test_the_acts_come_one_after_the_other_from_the_beginning_on() -> None:
    begins = [act.begins for act in ACTS]
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert [act_at(share) for share in begins] == list(ACTS)
    assert act_at(2) is ACTS[-1]


def test_the_provider_is_down_for_a_minute_of_the_five() -> None:
    ends = [*(act.begins for act in ACTS[1:]), 1]
    down = [end - act.begins for act, end in zip(ACTS, ends, strict=True) if act.provider.get("down")]
    assert sum(down) * 5 == pytest.approx(1)


def test_the_simulator_understands_all_that_the_morning_asks_of_it() -> None:
    for act in ACTS:
        Behaviour.model_validate(dict(act.provider))
    Answers.model_validate({"share": 0.5, "texts": list(THANKS)})
    for customer in customers():
        for text in (*QUESTIONS, *REPLIES):
            Written.model_validate({"from": customer.number, "name": customer.name, "text": text})


def test_the_screen_shows_who_waits_who_answers_and_what_leaves() -> None:
    console = Console(width=110, file=io.StringIO(), record=True)
    console.print(
        screen(
            View(
                share=0.5,
                caption="Lunch break",
                provider_is_down=False,
                agents=[Agent("Ana", "away", 1, 3), Agent("Carla", "online", 3, 3)],
                waiting=[Talk("Rita Lopes", None, 2, 1, (25, 300)), Talk("Igor Castro", None, 1)],
                waiting_count=2,
                answered=[Talk("Maria Aparecida", "Carla", 4)],
                sends=[Sent("5511970000001", "Está pronto às 15 h.", "delivered")],
                written=7,
                answers=3,
                accepted=2,
                refused={"131016": 5},
            )
        )
    )
    shown = console.export_text()
    for expected in (
        *("Lunch break", "Ana", "away", "●○○", "●●●", "Waiting: 2", "Rita Lopes", "25 s", "5 min", "Igor Castro"),
        *("Maria Aparecida", "Carla", "5511970000001", "Está pronto às 15 h.", "delivered", "code 131016"),
    ):
        assert expected in shown
