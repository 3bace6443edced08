"""Networks for containers that run somebody's code: nothing leaves them but what an administrator names.

An engine's own `--internal` network is not enough: from it a container still reaches whatever listens on this host's
bridge address, such as a database bound to all addresses. The rules made here close that as well.

`python -m modelwright.compute.backends.docker.network up NAME --instance I [--allow CIDR[:PORT]] [--host-port PORT]`
as root, once after each start of the host or flush of its firewall; `down NAME` takes everything back.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.docker.engine import Api, connect, told_apart

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,30}")
_INTERFACE_LENGTH = 15
LABEL = "modelwright.instance"
_ESTABLISHED = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")


@dataclass(frozen=True)
class Destination:
    """Addresses that may be reached, all of their ports or one."""

    network: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Destination:
        """From `10.0.3.7`, `10.0.3.0/24` or `10.0.3.7:443`. Raises ValueError."""
        address, _, port = text.partition(":")
        number = int(port) if port else None
        if number is not None and not 0 < number < 65536:
            raise ValueError(f"{port} is no port")
        return cls(str(ipaddress.IPv4Network(address, strict=False)), number)


class ClosedNetwork:
    """A bridge on which containers see neither each other, nor this host, nor any network that is not allowed."""

    def __init__(self, name: str, *, instance: str, engine: str = "") -> None:
        """Names it; nothing is made yet."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a network: use a-z, 0-9, '-', '_' and '.'")
        self.name = name
        self._instance = instance
        self._engine = engine
        self._bridge = f"mw-{hashlib.sha256(name.encode()).hexdigest()}"[:_INTERFACE_LENGTH]
        self._tag = f"modelwright-network:{name}"

    def up(self, *, allow: Sequence[Destination] = (), host_ports: Sequence[int] = ()) -> str:
        """Makes the network where it is missing and replaces its rules. Answers this host's address in it.

        `host_ports` are TCP ports of this host that containers may reach. Raises BackendError.
        """
        # Rules first: between the two calls nobody could be in the network without them.
        self._clear_rules()
        rules = [*self._forwarded(allow), *self._to_host(host_ports)]
        for chain, rule in reversed(rules):
            self._iptables("iptables", "-I", chain, *rule)
        for chain in ("INPUT", "FORWARD"):
            self._iptables("ip6tables", "-I", chain, "-i", self._bridge, "-j", "REJECT", must=False)
        with told_apart(f"The network {self.name}"):
            api = connect(self._engine)
            if not api.networks(names=[f"^{self.name}$"]):
                api.create_network(
                    self.name,
                    driver="bridge",
                    options={
                        "com.docker.network.bridge.name": self._bridge,
                        "com.docker.network.bridge.enable_icc": "false",
                    },
                    labels={LABEL: self._instance},
                )
            return self._gateway(api)

    def down(self) -> None:
        """Removes the network and its rules."""
        with told_apart(f"The network {self.name}"):
            api = connect(self._engine)
            if api.networks(names=[f"^{self.name}$"]):
                api.remove_network(self.name)
        self._clear_rules()

    def _forwarded(self, allow: Sequence[Destination]) -> list[tuple[str, list[str]]]:
        """What passes through this host, in the order in which it acts."""
        source = ["-i", self._bridge]
        rules = [("DOCKER-USER", [*source, *_ESTABLISHED, "-j", "RETURN"])]
        for one in allow:
            ends = [["-d", one.network]]
            if one.port is not None:
                ends = [["-d", one.network, "-p", kind, "--dport", str(one.port)] for kind in ("tcp", "udp")]
            rules += [("DOCKER-USER", [*source, *end, "-j", "RETURN"]) for end in ends]
        return [*rules, ("DOCKER-USER", [*source, "-j", "REJECT"])]

    def _to_host(self, ports: Sequence[int]) -> list[tuple[str, list[str]]]:
        """What is meant for this host itself, whichever of its addresses is used."""
        source = ["-i", self._bridge]
        rules = [("INPUT", [*source, *_ESTABLISHED, "-j", "ACCEPT"])]
        rules += [("INPUT", [*source, "-p", "tcp", "--dport", str(port), "-j", "ACCEPT"]) for port in ports]
        return [*rules, ("INPUT", [*source, "-j", "REJECT"])]

    def _gateway(self, api: Api) -> str:
        return str(api.inspect_network(self.name)["IPAM"]["Config"][0]["Gateway"])

    def _clear_rules(self) -> None:
        for program in ("iptables", "ip6tables"):
            for line in self._iptables(program, "-S", must=False, tagged=False).splitlines():
                words = [word.strip('"') for word in line.split()]
                if self._tag in words:
                    self._iptables(program, "-D", *words[1:], must=False, tagged=False)

    def _iptables(self, program: str, *arguments: str, must: bool = True, tagged: bool = True) -> str:
        comment = ["-m", "comment", "--comment", self._tag] if tagged else []
        try:
            done = subprocess.run(
                [program, "-w", *arguments, *comment], capture_output=True, text=True, check=False, timeout=60
            )
        except OSError as error:
            if must:
                raise BackendError(
                    f"{program} could not be started: {error}. Install it, and run this as root."
                ) from error
            return ""
        if done.returncode and must:
            raise BackendError(f"{program} refused a rule of network {self.name}: {done.stderr.strip()}")
        return done.stdout if not done.returncode else ""


def main() -> None:
    """Command line; see the module's first lines."""
    parser = argparse.ArgumentParser(prog="python -m modelwright.compute.backends.docker.network")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("name")
    parser.add_argument("--instance", required=True)
    parser.add_argument("--engine", default="")
    parser.add_argument("--allow", action="append", default=[], type=Destination.parse)
    parser.add_argument("--host-port", action="append", default=[], type=int)
    given = parser.parse_args()
    network = ClosedNetwork(given.name, instance=given.instance, engine=given.engine)
    if given.action == "down":
        network.down()
        return
    gateway = network.up(allow=given.allow, host_ports=given.host_port)
    print(f"network {given.name} is up; this host is {gateway} in it")


if __name__ == "__main__":
    main()
