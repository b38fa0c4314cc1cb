"""What whoever types a command is told: what there is to type, and why it could not be done."""

import re
import socket
import subprocess
import sys

import pytest

from deploy.local.__main__ import main
from deploy.local.plan import HOST, free_ports
from deploy.local.supervisor import StartError
from deploy.processes import REPOSITORY


def test_make_alone_lists_every_target_that_is_for_typing() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    listed = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=30)
    told = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", listed.stdout, re.MULTILINE))
    inner = {"help", "environment", "install"}
    [declared] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert told.keys() == set(declared.split()) - inner


def test_who_holds_a_taken_port_is_told_where_the_system_tells_it() -> None:
    ports = free_ports()
    with socket.create_server((HOST, ports["gateway"])), pytest.raises(StartError) as caught:
        ports.ensure_free()
    holder = r"( by .+ \(process \d+\))?"
    advice = "free it, or move all ports with BALCAO_PORT_BASE"
    told = f"port {ports['gateway']}, needed by gateway, is taken{holder}; {advice}"
    assert re.fullmatch(told, str(caught.value))


def test_a_start_that_fails_ends_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BALCAO_PORT_BASE", "eight thousand")
    monkeypatch.setattr(sys, "argv", ["deploy.local", "run"])
    assert main() == 1
    assert capsys.readouterr().err == (
        "balcao: BALCAO_PORT_BASE must be a number from 1024 to 65000, not 'eight thousand'\n"
    )
