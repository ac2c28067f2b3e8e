"""What is drawn on terminals: by commands, and by `batchline serve`."""
