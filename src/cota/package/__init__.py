"""What a release is, seen from the host: the same rules as `ota.paths` on the board, held together by tests/vectors/paths.json."""
