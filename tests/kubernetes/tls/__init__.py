"""Everything that can be encrypted is, in a cluster."""
