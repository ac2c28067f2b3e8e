"""Items that are tried again: all that decides it is here.

The life of a retry: a handler raises; `policy.py` says whether the operation allows another try and
how long to wait; the outcome is written as PENDING with a `due_at` and one attempt more
(`RETRY_ITEMS_LATER`, app/db/statements/items.py); the planner picks the item when it is due. An
item that raises `Defer` waits for another of its batch instead of for a time (`deferrals.py`), and
no attempt is counted.

Not here: a *caller's* retry of an ended batch (app/batches/actions), which begins the count anew;
what is tried again because its worker died (workers/engine/rescue); and webhooks, which have a
schedule of their own (app/webhooks/schedule.py).
"""
