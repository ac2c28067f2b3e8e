"""What every HTTP API of ours shares: credentials, bodies, problems (errors), streams, OpenAPI."""
