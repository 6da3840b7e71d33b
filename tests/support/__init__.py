"""What tests of several rooms share; it imports no test."""
