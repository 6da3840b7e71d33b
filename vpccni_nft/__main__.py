"""``python -m vpccni_nft``, from a bare checkout too."""

from vpccni_nft.cli import main

if __name__ == "__main__":
    main()
