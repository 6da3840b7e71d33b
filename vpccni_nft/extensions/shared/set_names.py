"""Names of ipsets with directions, which ``set`` and ``SET`` take."""

from __future__ import annotations

import attrs

from ..option_table import Form

#: What each direction reads of a packet, where the set is of addresses.
FIELDS = {"src": "saddr", "dst": "daddr"}

#: IPSET_DIM_MAX and IPSET_MAXNAMELEN, as libxt_set counts them.
MOST_DIRECTIONS = 6
NAME_LENGTH = 31

#: Where what a dump lacks is to be had.
HINT = "give the output of ipset save with --ipset-save FILE"


@attrs.frozen
class Members:
    """A set, and what is looked up in it, one direction for each of its dimensions."""

    name: str
    directions: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, directions: str) -> Members:
        """Read NAME and a list of ``src`` and ``dst``."""
        listed = tuple(directions.split(","))
        if not set(listed).issubset(FIELDS) or len(listed) > MOST_DIRECTIONS:
            raise ValueError(f"“{directions}” is not a list of src and dst")
        if not 0 < len(name.encode("utf-8", "surrogateescape")) <= NAME_LENGTH:
            raise ValueError(f"a set's name has 1 to {NAME_LENGTH} characters")
        return cls(name, listed)


#: A set with its directions, as an option names it.
MEMBERS = Form(
    "NAME src|dst,...",
    Members.parse,
    lambda members: (members.name, ",".join(members.directions)),
    words=2,
)
