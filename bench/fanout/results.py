"""The results of a run."""

from dataclasses import dataclass, field

from bench.fanout.connections import Idle, Storm
from bench.fanout.slow import Slow
from bench.fanout.traffic import Traffic


@dataclass
class Results:
    """The figures by scene; those of scenes that were not run are empty.

    ``lone``: a; ``busy_…`` by the number of clients, and ``light``: b; ``conflated``: c;
    ``slow`` with the traffic of b and ``slow_peers`` with less: f; ``several``: g, by the number of
    gateways.
    """

    lone: list[Traffic] = field(default_factory=list)
    busy_250: list[Traffic] = field(default_factory=list)
    busy_1000: list[Traffic] = field(default_factory=list)
    light: list[Traffic] = field(default_factory=list)
    conflated: list[Traffic] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    storm: list[Storm] = field(default_factory=list)
    slow: list[Slow] = field(default_factory=list)
    slow_peers: list[Slow] = field(default_factory=list)
    several: list[tuple[int, Traffic]] = field(default_factory=list)
