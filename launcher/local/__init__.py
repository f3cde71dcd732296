"""Local mode: every service is a process of this machine, kept alive by Supervisor."""
