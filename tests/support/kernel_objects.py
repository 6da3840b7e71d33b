"""What a translation promises the kernel, and what the kernel then holds."""

from __future__ import annotations

import vpccni_nft

from .namespaces import Namespace


def expected_objects(translation: vpccni_nft.Translation) -> dict[str, int]:
    """How many chains, rules, sets and counters each table should have."""
    return {
        f"{table.family.value} {table.name} {kind}": number
        for table in translation.ruleset.tables
        for kind, number in (
            ("chain", len(table.chains)),
            ("rule", sum(len(chain.rules) for chain in table.chains)),
            ("set", len(table.sets)),
            ("counter", len(table.counters)),
        )
        if number
    }


def listed_objects(namespace: Namespace) -> dict[str, int]:
    """How many the kernel has."""
    found: dict[str, int] = {}
    for entry in namespace.objects():
        for kind, fields in entry.items():
            if kind != "table":
                key = f"{fields['family']} {fields['table']} {kind}"
                found[key] = found.get(key, 0) + 1
    return found
