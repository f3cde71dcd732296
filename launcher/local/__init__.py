"""Local mode: every part is a process of this machine, kept alive by Supervisor."""
