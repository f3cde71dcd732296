"""The limit of files that a process may have open: each connection is one, and the usual limit is 1,024."""

import resource


def raise_file_limit(wanted: int) -> int:
    """Raise this process's limit to ``wanted``, or to as many as it may have. Returns the limit.

    A limit that is already higher stays as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
