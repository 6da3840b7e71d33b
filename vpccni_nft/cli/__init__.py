"""The command ``vpccni-nft``."""


def main() -> None:
    """Run the command line; click loads here, not with the package."""
    from .commands import cli

    cli()
