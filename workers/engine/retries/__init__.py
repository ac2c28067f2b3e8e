"""Items that are tried again: all that decides it is here.

The life of a retry: a handler raises. `policy.py` says whether the operation allows another try
(`attempts.py`: which tries count) and how long to wait (`backoff.py`). The outcome is written as
PENDING with a `due_at` and one attempt more (`RETRY_ITEMS_LATER`,
app/db/statements/item_outcomes.py); from then on the slice holds the item no longer, and the
planner picks it when it is due (plan/due_items.py). An item that raises `Defer` waits for another
of its batch instead of for a time (`deferrals.py`), and no attempt is counted.

Not here: a *caller's* retry of an ended batch (app/batches/actions), which begins the count anew;
what is tried again because its worker died (workers/engine/rescue); and webhooks, which have a
schedule of their own (app/webhooks/schedule.py).
"""
