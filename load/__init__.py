"""A measured load on the running system: ``./start.sh load --rate N --for S [--batch B]``."""
