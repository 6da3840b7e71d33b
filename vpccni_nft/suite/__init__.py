"""Tests of a node's own dump: ``pytest --pyargs vpccni_nft.suite --iptables-save node.save``.

Needs the extra ``testing``.
"""
