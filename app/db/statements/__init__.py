"""The SQL of Batchline's own tables, a module a table.

A statement has a name of verb and noun (LOCK_BATCH, CLAIM_SLICE), and above it a comment that says
what it is for and by which index, or under which lock, it is quick. What comes in several variants
is made by a function with keyword arguments, `take_items_again(picked=True)`; whoever executes a
statement never edits its text. Parameters are named, and given by name. Rows that are passed on
have a type beside their statement, a dataclass with the names of its columns (`rows.py`).

| module | what its statements do |
| --- | --- |
| `batches` | lock a batch; what callers do: make, change, start, stop, retry, remove |
| `batch_progress` | what the engine writes as a batch goes on, and how it ends |
| `submissions` | take a small batch in, and show it, by one statement |
| `items` | take items in, load and count them |
| `long_work` | how far long work of a batch is, and its steps: cancel, retry, remove items |
| `item_planning` | which items are due |
| `lanes` | lanes of the items that have the same key: found, written down, marked |
| `item_outcomes` | what became of the items of a slice |
| `held_items` | the one definition of the items that a slice holds, which all others compose |
| `batch_lists` | lists of batches: what finds them, and how many a page reads at most |
| `batch_views`, `item_pages` | read what is shown; the views in `app/batches` declare the columns |
| `select_list` | a SELECT's columns, where they are handed in |
| `failures`, `failure_lists` | what went wrong by cause: counted and taken away; read |
| `item_tries` | an item's tries that are past: written down, read; its input edited |
| `item_choices` | items that a caller chooses: counted, run again, canceled |
| `turns` | batches in line, whose turn it is, and how much is under way |
| `slices` | a wave's slices: written, sent again, folded, dropped |
| `slice_claims` | a slice's claim: taken, held, passed as a fence, ended, given back |
| `slice_limits` | slices that wait for a limit of their operation |
| `workers` | worker processes and their heartbeats |
| `operations` | what operations cost, and the gates of their limits |
| `served_operations` | which operations there are, and which live worker has them |
| `sessions` | locks that are no rows, timeouts, sessions of others |
| `clients`, `idempotency_keys`, `records`, `webhooks`, `webhook_deliveries` | those tables |
| `item_history` | how many items ended in each minute |
| `console_sessions`, `overview` | what the console asks: who is signed in, how things stand |
| `batch_pages` | a batch with all that its page shows |
| `gauges`, `server` | about no one table: figures for metrics; the clock, and new databases |

Dialects and handlers with tables of their own have their SQL in a `statements` module beside them.
"""
