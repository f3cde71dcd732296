"""The system in containers: what it can do, what it must not, and what it survives."""
