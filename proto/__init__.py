"""The gRPC interface; ``python -m proto.build`` makes its Python stubs beside it."""
