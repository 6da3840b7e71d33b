"""The texts of all three languages: read them, write them, and detect which language one is in.

iptables-save text goes through ``sources`` (dumps, and the output of ipset save beside them), nft
text through ``nft_reader``. ``iptables_save``, ``nft_script`` and ``nft_json`` write; the script's
statements and expressions are in ``nft_statement_text`` and ``nft_expression_text``. Imports the
languages and the extensions, each of which reads and writes its own options. Lark loads where the
tables of the grammars are made, and nowhere else.
"""
