"""Tests of a node's own dump.

``pytest --pyargs vpccni_nft.suite --vpccni-iptables-save node.save`` runs them.

Needs the extra ``testing``.
"""
