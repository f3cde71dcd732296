"""The web service: one sampler of store and queue, any number of streams, and the page."""
