"""The VPC CNI's connmark rules: what they mean, in iptables and in the CNI's own table."""
