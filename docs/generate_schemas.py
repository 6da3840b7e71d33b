"""Write the schemas of what commands print as JSON, to docs/schemas.

An object has exactly the keys that its schema names, and all of them but those of ``maybe``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SCHEMAS = DOCS / "schemas"

Schema = dict[str, Any]

# --- words ----------------------------------------------------------------------------------------


def text(description: str = "") -> Schema:
    """Any text."""
    return _described({"type": "string"}, description)


def number(description: str = "", least: int = 0) -> Schema:
    """A whole number, 0 or more."""
    return _described({"type": "integer", "minimum": least}, description)


def real(description: str = "") -> Schema:
    """Any number."""
    return _described({"type": "number"}, description)


def flag(description: str = "") -> Schema:
    """True or false."""
    return _described({"type": "boolean"}, description)


def one_of(*values: str | None, description: str = "") -> Schema:
    """One of these words."""
    return _described({"enum": list(values)}, description)


def listed(items: Schema, description: str = "") -> Schema:
    """A list of such items."""
    return _described({"type": "array", "items": items}, description)


def by_name(values: Schema, description: str = "") -> Schema:
    """An object of any keys, with such values."""
    return _described({"type": "object", "additionalProperties": values}, description)


def both(description: str = "") -> Schema:
    """A value before, and one after."""
    pair = {"type": "array", "items": text(), "minItems": 2, "maxItems": 2}
    return _described(pair, description)


def maybe_null(schema: Schema, description: str = "") -> Schema:
    """Such a value, or null."""
    return _described({"anyOf": [schema, {"type": "null"}]}, description)


def maybe(schema: Schema) -> Schema:
    """A key that need not be there."""
    return schema | {"maybe": True}


def of(name: str) -> Schema:
    """One of ``DEFS``."""
    return {"$ref": f"#/$defs/{name}"}


def keys(**properties: Schema) -> Schema:
    """An object with these keys."""
    required = [name for name, schema in properties.items() if "maybe" not in schema]
    shown = {
        name: {key: value for key, value in schema.items() if key != "maybe"}
        for name, schema in properties.items()
    }
    return {
        "type": "object",
        "properties": shown,
        "required": required,
        "additionalProperties": False,
    }


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description} if description else schema


# --- what several commands print ------------------------------------------------------------------

FAMILY = one_of("ip", "ip6")
HOOK = one_of("prerouting", "input", "forward", "output", "postrouting")
LINE = maybe_null(number(least=1))
FILE = maybe_null(text())
ANSWER = one_of("equivalent", "different", "unknown")
NODE_ANSWER = one_of("equivalent", "unknown", "failed", "unreadable", "refused", "different")
ON_PATH = flag("whether the packet goes through a whole path; the hook says which")

DETECTED = {
    "kubelet": listed(text("a back end")),
    "kube_proxy": listed(text("a back end")),
    "cni": listed(text("a back end")),
    "next_start": maybe_null(text(), "the back end that a CNI that starts now writes to"),
}

ANSWER_KEYS = {
    "answer": ANSWER,
    "hooks": listed(text(), "a family and a hook that are equal: ip input"),
    "assumptions": listed(text()),
    "packets": listed(of("packet"), "one of each class"),
    "classes": listed(of("class")),
    "reasons": listed(of("diagnostic"), "what is not known, and why"),
    "status": listed(of("status"), "of each hook"),
    "accepted": listed(of("accepted"), "what --accept accepts, and whether it occurs"),
    "paths": listed(of("status"), "of each path, as ip received; none with --per-hook"),
}

CHANGES = by_name(both(), "what it changes, by the key of a packet: before and after")

DEFS: dict[str, Schema] = {
    "diagnostic": keys(
        code=text("its page: vpccni-nft code CODE"),
        kind=one_of("error", "approximation", "note", "unknown", "known"),
        refuses=flag("whether there is no translation because of it"),
        allowed=flag("whether the caller allowed this approximation"),
        message=text(),
        hint=text("what can be done; may be empty"),
        file=FILE,
        line=LINE,
        column=maybe_null(number(least=1), "of the first character that is meant"),
        end_column=maybe_null(number(least=1), "behind the last one"),
    ),
    "statistic": keys(
        code=text("a code, or another word for what has none"),
        level=one_of("error", "warning", "note"),
        what=text(),
        count=number(least=1),
        file=maybe_null(text(), "where the first of them is"),
        line=LINE,
    ),
    "step": keys(
        kind=one_of("hook", "chain", "skip", "rule", "policy", "between"),
        table=text(),
        chain=text(),
        rule=maybe_null(number(least=1), "its number in its chain"),
        line=LINE,
        depth=number("how many jumps lead to it"),
        text=text(),
        fits=flag("whether the packet matches"),
        changes=CHANGES,
        events=listed(text()),
        binding=maybe_null(text(), "what NAT decides here"),
        verdict=maybe_null(text()),
    ),
    "outcome": keys(verdict=text(), bindings=listed(text()), changes=CHANGES),
    "way": keys(steps=listed(of("step")), outcome=of("outcome")),
    "packet": keys(
        family=FAMILY,
        hook=HOOK,
        on_path=ON_PATH,
        packet=text("as explain and replay take it"),
        fields=by_name(text(), "what matters beside that"),
        answers=listed(text(), "what the node is asked, and answers"),
        differences=by_name(both(), "what differs: before and after"),
        kernel=maybe_null(
            keys(
                says=one_of("confirmed", "not reachable", "not reproducible"), why=listed(text())
            ),
            "what the kernel does with the packet, with --replay",
        ),
        before=of("way"),
        after=of("way"),
    ),
    "short_packet": keys(
        family=FAMILY,
        hook=HOOK,
        on_path=ON_PATH,
        packet=text("as explain and replay take it"),
        fields=by_name(text()),
        answers=listed(text()),
        differences=by_name(both()),
    ),
    "deciding": keys(
        table=text(),
        chain=text(),
        number=number("of the rule in its chain, from 1"),
        line=LINE,
        text=text(),
    ),
    "class": keys(
        family=FAMILY,
        hook=HOOK,
        on_path=ON_PATH,
        packet=number("the number of its example among the packets, from 0"),
        conditions=listed(
            listed(keys(key=text(), value=text(), negated=flag())),
            "conjunctions, any of which a packet of the class fits",
        ),
        texts=listed(text(), "the same as text, those that differ in one value as one"),
        whole=flag("whether every packet of the class fits one of the conditions"),
        like=number("how many classes that differ in values alone it has"),
        deciding=keys(before=listed(of("deciding")), after=listed(of("deciding"))),
    ),
    "status": keys(
        hook=text("a family and a hook or path: ip input"),
        status=one_of("equal", "accepted", "different", "undecided"),
        reasons=listed(of("diagnostic")),
        order=text("in which orders base chains ran; empty where there is one only"),
    ),
    "accepted": keys(
        name=text(),
        code=text("of a catalogue, or empty"),
        why=text(),
        until=maybe_null(text(), "the last day on which it is accepted"),
        conditions=listed(text(), "any of which is enough"),
        occurs=one_of("yes", "no", "unknown", "over", description="over: it is accepted no longer"),
        hooks=listed(text(), "where it occurs: ip forward"),
        family=maybe_null(text(), "that of the packet"),
        packet=maybe_null(text(), "one that shows it"),
    ),
    "owned": keys(tables=number(), chains=number(), rules=number()),
    "proxy": keys(
        mode=text("kube-proxy's mode"),
        form=maybe_null(text(), "the release that writes so"),
        services=number("ports of Services"),
    ),
    "record-origin": keys(
        host=text(),
        taken=text("a time of ISO 8601"),
        kernel=text(),
        nft=text(),
        iptables=text(),
    ),
    "replayed": keys(
        runs=number(),
        outcomes=listed(keys(times=number(), only_here=flag(), events=listed(text()))),
        rules=listed(
            keys(
                place=text(), text=text(), packets=number(), packets_earlier=number()
            )
        ),
    ),
}  # fmt: skip

OWNED = {"owner": text(), "why": text(), "releases": maybe_null(text(), "of the CNI")}

# --- one for each command -------------------------------------------------------------------------

EXPLANATION = keys(
    packet=by_name(text(), "the packet, by its keys"),
    given=listed(text(), "what was given of it"),
    defaults=listed(text(), "what was taken for the rest"),
    approximations=listed(text()),
    sides=listed(
        keys(name=text(), language=text(), steps=listed(of("step")), outcome=of("outcome"))
    ),
    world=listed(text(), "what the node answers"),
    not_read=listed(text(), "rules that are not read, whether the packet comes to them"),
    differences=by_name(both(), "what differs; empty where both sides agree"),
)

NODE_KEYS = {
    "node": text(),
    "answer": NODE_ANSWER,
    "reasons": listed(text()),
    "detection": keys(**DETECTED),
    "codes": by_name(number(least=1), "how often each code is reported"),
    "diagnostics": listed(of("diagnostic"), "the first 50"),
}

#: What each schema is of, and the schema.
COMMANDS: dict[str, tuple[str, Schema]] = {
    "check": ("vpccni-nft check --json; Translation.to_dict()", keys(
        refused=flag("whether translate would refuse"),
        diagnostics=listed(of("diagnostic")),
        statistics=maybe(listed(of("statistic"), "with --statistics")),
    )),
    "code": ("vpccni-nft code --json", listed(keys(
        code=text(), kind=text(), title=text(), page=text("Markdown"),
    ))),
    "detect": ("vpccni-nft detect --json; Detection.to_dict()", keys(
        **DETECTED,
        evidence=listed(keys(
            agent=text(), back_end=text(), what=text(), file=FILE, line=LINE,
        )),
        diagnostics=listed(of("diagnostic")),
    )),
    "explain": ("vpccni-nft explain --json; Explanation.to_dict()", EXPLANATION),
    "extensions": ("vpccni-nft extensions --json", listed(keys(
        kind=one_of("match", "target"),
        name=text(),
        what=text(),
        nft=text("what nft does for it"),
        codes=listed(text(), "that a translation of it may answer with"),
    ))),
    "fleet": ("vpccni-nft fleet --output-format json", keys(
        nodes=number(),
        like=number("how many have the same rules as another one"),
        answer=by_name(number(least=1)),
        kubelet=by_name(number(least=1)),
        kube_proxy=by_name(number(least=1)),
        cni=by_name(number(least=1)),
        releases=by_name(number(least=1)),
        codes=listed(keys(code=text(), kind=text(), title=text(), nodes=number(least=1))),
        if_allowed=by_name(by_name(number(least=1)), "answers, by codes with blanks between them"),
        ignored=listed(text(), "files that are of no node"),
    )),
    "fleet-line": ("A line of vpccni-nft fleet -o FILE", {"anyOf": [
        keys(
            **NODE_KEYS,
            like=maybe_null(text(), "the node with the same rules that was examined"),
            rules=maybe_null(text(), "a hash of its rules"),
            files=by_name(text()),
            cni_releases=listed(text()),
            owners=by_name(keys(chains=number(), rules=number())),
            dumps=by_name(keys(
                answer=NODE_ANSWER,
                rules=number(),
                hooks=listed(text()),
                assumptions=listed(text()),
                packets=listed(of("short_packet")),
            )),
            if_allowed=by_name(NODE_ANSWER, "by codes with blanks between them"),
        ),
        keys(ignored=text("a file that is of no node")),
    ]}),
    "gate-line": ("A line of vpccni-nft switch gate -o FILE", keys(
        **NODE_KEYS,
        like=maybe_null(text(), "the node of the same shape that was proved"),
        before=maybe_null(of("proxy")),
        after=maybe_null(of("proxy")),
        rules=maybe_null(text(), "a hash of its rules"),
        shape=maybe_null(text(), "a hash of what the proof hangs on"),
        change=one_of("recorded", "predicted"),
        canary=flag(),
        changes=number("Services that are others than before"),
        classes=listed(text(), "a packet of each class"),
        accepted=listed(text()),
        assumptions=listed(text()),
    )),
    "inventory": ("vpccni-nft inventory --json; Inventory.to_dict()", keys(
        owners=by_name(of("owned")),
        vpc_cni_releases=maybe_null(text()),
        chains=listed(keys(family=FAMILY, table=text(), chain=text(), **OWNED)),
        rules=listed(keys(
            family=FAMILY, table=text(), chain=text(), rule=text(), file=FILE, line=LINE, **OWNED,
        )),
        tables=listed(keys(
            family=text(), table=text(), chains=number(), rules=number(), **OWNED,
        )),
        diagnostics=listed(of("diagnostic")),
    )),
    "predict": ("vpccni-nft predict --json", keys(
        services=maybe_null(number(), "ports of Services, where kube-proxy changes"),
        script=text("what the agents would write"),
        predicted_assuming=listed(text()),
        **ANSWER_KEYS,
    )),
    "report": ("vpccni-nft report --json", keys(
        version=number(least=1),
        writer=text(),
        title=text(),
        node=maybe_null({"type": "object"}, "docs/report.md"),
        detection=maybe_null(keys(
            **DETECTED,
            evidence=listed({"type": "object"}),
            diagnostics=listed(of("diagnostic")),
        )),
        answers=listed({"type": "object"}, "as verify --json has them"),
        explanations=listed(EXPLANATION),
        fleet=listed({"type": "object"}, "as lines of fleet"),
    )),
    "replay": ("vpccni-nft replay --json, vpccni-nft migrate rehearse --json", keys(
        equal=maybe_null(flag(), "null where it is not decided"),
        alike=maybe_null(flag(), "the same, by its earlier name"),
        tally=keys(
            conversations=number(), packets=number(), repeated=number(), undecided=number(),
            seconds=real(),
        ),
        stopped=flag("whether it ended early"),
        packet=maybe_null(keys(
            conversation=text(), not_brought_about=listed(text()),
        ), "with --packet"),
        rules=keys(
            reachable=number(),
            hit=number(),
            missed=listed(keys(file=text(), line=number(least=1), text=text())),
        ),
        mismatches=listed(keys(
            kind=one_of("outcomes", "frequencies", "connections"),
            conversation=text(),
            moves=listed(text()),
            move=number(least=1),
            before=of("replayed"),
            after=of("replayed"),
        )),
    )),
    "source-map": ("vpccni-nft translate --map FILE; Translation.source_map()", listed(keys(
        file=text(),
        line=number(least=1),
        places=listed({"type": "object"}, "rules of chains, and elements of sets and maps"),
    ))),
    "status": ("vpccni-nft migrate status --json", keys(
        phase=text(),
        before_restart=text("the phase before the machine was started again"),
        reason=text(),
        history=listed(keys(phase=text(), at=text("a time of ISO 8601"))),
        in_place=by_name(text(), "what is in place on the node"),
        problems=listed(text()),
    )),
    "switch-prove": ("vpccni-nft switch prove --json", keys(
        about=keys(
            writer=text("the program and its version"),
            files=listed(text()),
            before=of("record-origin"),
            after=of("record-origin"),
            order=text("in which order base chains of one priority run"),
            accept=listed(text()),
            notes=listed(text("what to know before the answer is relied on")),
        ),
        before=of("proxy"),
        after=of("proxy"),
        changes=listed(keys(
            service=text(),
            protocol=text(),
            family=FAMILY,
            what=text(),
            gone=listed(text()),
            new=listed(text()),
            fields=listed(text()),
        )),
        not_known=listed(text()),
        leftovers=listed(of("diagnostic")),
        **ANSWER_KEYS,
    )),
    "verify": ("vpccni-nft verify --json; to_dict() of an answer", keys(
        **ANSWER_KEYS,
        stale=maybe(listed(text(), "with --plan")),
        statistics=maybe(listed(of("statistic"), "with --statistics")),
    )),
    "watch": ("vpccni-nft watch --json", keys(
        answer=NODE_ANSWER,
        at=real("when, in seconds since 1970"),
        mode=text(),
        form=text(),
        services=number(),
        changes=number(),
        leftovers=number(),
        classes=listed(text(), "a packet of each class that differs and is not accepted"),
        accepted=listed(text()),
        reasons=listed(text()),
        proved_at=maybe_null(real(), "when the proof was made that holds now"),
    )),
}  # fmt: skip


def schema_of(name: str) -> str:
    """A schema as text, with the definitions that it needs and no others."""
    title, schema = COMMANDS[name]
    needed: dict[str, Schema] = {}
    _collect(schema, needed)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **schema,
        **({"$defs": dict(sorted(needed.items()))} if needed else {}),
    }
    return json.dumps(whole, indent=2) + "\n"


def _collect(schema: object, needed: dict[str, Schema]) -> None:
    if isinstance(schema, dict):
        reference = str(schema.get("$ref", "")).rpartition("/")[2]
        if reference and reference not in needed:
            needed[reference] = DEFS[reference]
            _collect(DEFS[reference], needed)
        for part in schema.values():
            _collect(part, needed)
    elif isinstance(schema, list):
        for part in schema:
            _collect(part, needed)


def main() -> None:
    """Write the schemas, or say which one is not up to date."""
    parser = argparse.ArgumentParser(description="Write docs/schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check: bool = parser.parse_args().check
    for name in COMMANDS:
        path, text = SCHEMAS / f"{name}.json", schema_of(name)
        if not check:
            SCHEMAS.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is out of date: run python docs/generate_schemas.py")


if __name__ == "__main__":
    main()
