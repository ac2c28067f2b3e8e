"""What the tests share: a stack of real processes, and handlers that misbehave on purpose."""
