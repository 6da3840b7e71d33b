"""Packets through the kernel of this machine."""
