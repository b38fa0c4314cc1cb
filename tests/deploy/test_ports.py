"""Where everything listens."""

import random
import socket

import pytest

from deploy.local.plan import HOST, Ports, free_ports
from deploy.local.supervisor import StartError
from deploy.processes import PROCESSES


def test_the_base_moves_all_ports() -> None:
    ports = Ports(9000)
    assert {name: ports[name] for name in ports} == {
        "gateway": 9000,
        "ingest": 9001,
        "routing": 9002,
        "conversation": 9003,
        "metrics": 9004,
        "privacy": 9005,
        "simulator": 9010,
        "postgres": 9032,
        "broker": 9092,
        "controller": 9093,
    }


def test_replicas_have_ports_of_their_own() -> None:
    ports = Ports(9000)
    taken = [ports[name] for name in ports]
    taken += [ports[f"{process}-{number}"] for process in PROCESSES for number in (2, 3, 4)]
    assert len(set(taken)) == len(taken)
    assert (ports["gateway-2"], ports["privacy-2"], max(taken)) == (9020, 9025, 9093)
    for nobody in ("gateway-1", "gateway-5", "postgres-2", "nobody"):
        with pytest.raises(KeyError):
            ports[nobody]


def test_a_taken_port_is_told_with_the_process_that_needs_it() -> None:
    ports = free_ports()
    with socket.create_server((HOST, ports["routing"])), pytest.raises(StartError) as caught:
        ports.ensure_free()
    assert str(caught.value).startswith(f"port {ports['routing']}, needed by routing, is taken")


def test_ports_that_were_given_to_one_are_given_to_nobody_else() -> None:
    luck = random.getstate()
    first = free_ports()
    random.setstate(luck)
    assert free_ports() != first
