"""What is known of the Amazon VPC CNI and of the agents beside it on a node."""
