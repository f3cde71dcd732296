"""Sets up, starts, watches and stops a whole system. Standard library only; no service imports it."""
