"""What both languages share: places in a text, problems, and the values of rules."""
