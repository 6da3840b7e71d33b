"""What rules mean: iptables and nft, each on its own, over one packet and one algebra."""
