"""The queue in Redis. Imports nothing, so that ``keys`` stays usable with the standard library alone."""
