"""Hypothesis strategies for rulesets, nodes and packets, for this project's tests and users' own.

``rulesets`` and what is below it are for all that ``parse`` can make of a text, and nothing else;
``node_configs`` and ``node_dump`` are for what the VPC CNI writes on a node; ``packets_for`` and
``stream`` are for packets that hit the rules of either. Needs the extra ``testing``.
"""

from ..extensions.placement import Place
from ..simulate.pool import stream
from .nft_rulesets import nft_rulesets, nft_tables
from .nodes import NodeConfig, Randomize, node_configs, node_dump
from .packets import packets_for
from .rooms import BUILT_IN, MATCHES, TARGETS, places_of
from .rule import EVERYTHING, Taste, nodes_of_room, rules
from .ruleset import Order, cascades, rulesets, tables, tables_of_room
from .unknown import unknown_matches, unknown_targets
from .values import (
    address_ranges,
    addresses,
    counters,
    families,
    interfaces,
    marks,
    masked_marks,
    negatable,
    networks,
    perhaps,
    perhaps_negated,
    port_numbers,
    port_ranges,
    protocols,
)

__all__ = [
    "BUILT_IN",
    "EVERYTHING",
    "MATCHES",
    "TARGETS",
    "NodeConfig",
    "Order",
    "Place",
    "Randomize",
    "Taste",
    "address_ranges",
    "addresses",
    "cascades",
    "counters",
    "families",
    "interfaces",
    "marks",
    "masked_marks",
    "negatable",
    "networks",
    "nft_rulesets",
    "nft_tables",
    "node_configs",
    "node_dump",
    "nodes_of_room",
    "packets_for",
    "perhaps",
    "perhaps_negated",
    "places_of",
    "port_numbers",
    "port_ranges",
    "protocols",
    "rules",
    "rulesets",
    "stream",
    "tables",
    "tables_of_room",
    "unknown_matches",
    "unknown_targets",
]
