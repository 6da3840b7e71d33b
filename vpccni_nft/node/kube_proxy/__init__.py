"""kube-proxy: the Services that its rules mean, and the rules that it writes for them."""
