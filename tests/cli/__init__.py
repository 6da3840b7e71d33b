"""Commands as their users run them."""
