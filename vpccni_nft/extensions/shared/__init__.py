"""What several matches and targets share, by what it is about."""
