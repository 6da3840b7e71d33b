"""The scripts of a plan: POSIX sh, to be read and to be run by hand.

They hold no state. What is to be done is seen from the node: each table of iptables is as it was
before, as it is to be after, or changed by another program. So each script can be killed and run
again. Each change is one transaction of the kernel: a table is never half done.

``rollback`` writes no file, so that it works on a full disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..node.detection import SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tables import MovedTable

_COMMON = """\
# What the scripts beside this one share. A table is named PROGRAM.TABLE, as in tables/.
set -eu
PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"
LC_ALL=C
export PATH LC_ALL

TABLES='{tables}'
PROGRAMS='{programs}'
NFT_TABLES='{nft_tables}'

fail() {{
    echo "$(basename "$0"): $*" >&2
    exit 1
}}

# Lines of iptables-save without remarks and counters.
normal() {{
    sed -e '/^#/d' -e 's/^\\[[0-9]*:[0-9]*\\] //' -e '/^:/s/ \\[[0-9]*:[0-9]*\\]$//'
}}

# The table $1 as it is now.
now() {{
    "${{1%.*}}-save" -t "${{1##*.}}" | normal
}}

# Whether the table $1 is as it was before, as it is to be after, or changed by another program.
state() {{
    if now "$1" | cmp -s - "tables/$1/before"; then
        echo before
    elif now "$1" | cmp -s - "tables/$1/after"; then
        echo after
    else
        echo changed
    fi
}}

# Whether the nft table "$1 $2", a family and a name, is there.
loaded() {{
    nft list table "$1" "$2" >/dev/null 2>&1
}}
"""

_PREFLIGHT = """\
#!/bin/sh
# Look whether the move can be made, and save the rules with their counters. Nothing is changed.
cd "$(dirname "$0")"
. ./common.sh

for program in $PROGRAMS; do
    command -v "$program-save" >/dev/null || fail "$program-save is missing"
    command -v "$program-restore" >/dev/null || fail "$program-restore is missing"
done
for tool in nft sed cmp grep sha256sum; do
    command -v "$tool" >/dev/null || fail "$tool is missing"
done
nft --version
sha256sum -c SHA256SUMS >/dev/null || fail "the plan was changed after it was made"

for table in $TABLES; do
    case $(state "$table") in
    before)
        mkdir -p backup
        "${table%.*}-save" -c -t "${table##*.}" >"backup/$table.new"
        mv "backup/$table.new" "backup/$table"
        ;;
    after) ;; # an earlier run came so far
    *)
        now "$table" | diff "tables/$table/before" - >&2 || true
        fail "M206: the table $table no longer matches the plan: plan again"
        ;;
    esac
done

# The kernel builds the tables and drops them again: this shows whether it has all that they need.
nft -c -f apply.nft || fail "the kernel does not accept apply.nft"
echo "preflight: $TABLES are as planned, and apply.nft loads"
"""

_APPLY = """\
#!/bin/sh
# Load the new tables, in one transaction. Until cleanup the rules are there twice; see plan.md.
cd "$(dirname "$0")"
. ./common.sh

nft -f apply.nft
"""

_CLEANUP = """\
#!/bin/sh
# Delete the rules that the new tables replace, one by one, in one transaction for each table.
cd "$(dirname "$0")"
. ./common.sh

for table in $TABLES; do
    case $(state "$table") in
    after) continue ;; # done before
    before) ;;
    *) fail "M206: the table $table no longer matches the plan" ;;
    esac
    "${table%.*}-restore" --noflush --wait 30 <"tables/$table/delete"
    [ "$(state "$table")" = after ] ||
        fail "M206: another program changed the table $table"
    echo "cleanup: $table"
done
"""

_VERIFY = """\
#!/bin/sh
# Read all rules back from the kernel, and prove that they mean what the saved ones mean.
cd "$(dirname "$0")"
. ./common.sh

for table in $TABLES; do
    [ "$(state "$table")" = after ] || fail "M206: the table $table is not in its final state"
done
exec "${VPCCNI_NFT:-vpccni-nft}" migrate verify .
"""

_ROLLBACK = """\
#!/bin/sh
# Put the saved rules back, and remove the new tables. Writes no file.
#
# Rules that other programs have added meanwhile stay, at the end of their chains, and are printed.
cd "$(dirname "$0")"
. ./common.sh

# The saved table $1, with its counters.
saved() {
    if [ -f "backup/$1" ]; then
        sed -e '/^#/d' "backup/$1"
    else
        cat "tables/$1/saved"
    fi
}

# Lines of the table $1 that are there now, and were not.
added() {
    now "$1" | grep -vxF -f "tables/$1/before" || true
}

# Chains that are there now, and were not: their policies are -.
new_chains() {
    added "$1" | grep '^:[^ ]* -$' || true
}

whole() {
    saved "$1" | grep '^[*:]'
    new_chains "$1"
    saved "$1" | grep -v '^[*:]' | grep -v '^COMMIT$' || true
    added "$1" | grep '^-A' || true
    echo COMMIT
}

left=''
for table in $TABLES; do
    state=$(state "$table")
    [ "$state" = before ] && continue
    if [ "$state" = changed ]; then
        echo "rollback: M206: kept, because another program has added it to $table:" >&2
        added "$table" | grep -e '^-A' -e '^:.* -$' >&2 || true
    fi
    # Read as a whole first: what is read must not change under the program that writes.
    text=$(whole "$table")
    if printf '%s\\n' "$text" | "${table%.*}-restore" --counters --wait 30; then
        echo "rollback: $table"
    else
        left="$left $table"
    fi
done
# Without their rules in iptables the new tables are what the node needs.
[ -z "$left" ] || fail "these could not be put back, so the new tables stay:$left"

nft -f remove.nft
for name in $NFT_TABLES; do
    ! loaded "${name%.*}" "${name#*.}" || fail "the table $name is still there"
done
"""

_STATE = """\
#!/bin/sh
# Show what is in place.
cd "$(dirname "$0")"
. ./common.sh

for table in $TABLES; do
    echo "$table $(state "$table")"
done
for name in $NFT_TABLES; do
    if loaded "${name%.*}" "${name#*.}"; then
        echo "nft.$name loaded"
    else
        echo "nft.$name absent"
    fi
done
"""


def scripts(tables: Sequence[MovedTable]) -> dict[str, str]:
    """All scripts by their names."""
    nft_tables = dict.fromkeys(f"{one.table.family.value}.{one.nft_table}" for one in tables)
    common = _COMMON.format(
        tables=" ".join(one.name for one in tables),
        programs=" ".join(dict.fromkeys(one.program for one in tables)),
        nft_tables=" ".join(nft_tables),
    )
    return {
        "common.sh": common,
        "preflight": _PREFLIGHT,
        "apply": _APPLY,
        "cleanup": _CLEANUP,
        "verify": _VERIFY,
        "rollback": _ROLLBACK,
        "state": _STATE,
    }


def removal(tables: Sequence[MovedTable]) -> str:
    """What removes the new tables, whether they are there or not."""
    names = dict.fromkeys(f"{one.table.family.value} {one.nft_table}" for one in tables)
    return "".join(f"add table {name}\ndelete table {name}\n" for name in names)


def dump_file(slot: str) -> str:
    """What a dump is called in the directory."""
    return f"{SLOTS[slot].program.removesuffix('-save')}.save"
