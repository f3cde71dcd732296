"""The web service: one reader of the store, any number of streams, and the page."""
