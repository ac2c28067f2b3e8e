"""What processes tell one another of the operations that they have.

Processes of two releases run side by side, and each knows only its own handlers. So each publishes
them (`publishing`): a description of each operation, in Postgres, of which the others make a
stand-in (`description`), enough to take its items in, to plan them and to list it (`known`). Only a
worker that has the handler runs them.
"""
