"""Webhooks: registered, recorded when a batch ends, signed, sent, tried again.

A delivery's life: `recording` writes its row in the transaction that ends the batch; `delivering`
claims it, sends it (`sending`, through the guarded network of `network`), and writes what came of
it; `schedule` says when it is tried again. Knows neither Flask nor Celery.
"""
