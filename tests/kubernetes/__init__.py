"""The system in a cluster: what starts, who may connect to whom, and what it survives."""
