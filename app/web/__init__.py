"""What every HTTP API of ours shares: credentials, bodies, problems, streams, OpenAPI."""
