"""Reports to look at: one page of HTML, without network, of a node, of answers, or of a fleet.

``rules`` says what a node's rules are, whose they are, and what they become; ``page`` writes the
page. What stands in the page is the JSON that other commands print: ``page`` imports no room, and
``rules`` those that read and translate. jinja2 loads here only.
"""
