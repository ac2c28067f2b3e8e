"""The metrics for Prometheus.

Gauges are read from Postgres and the broker when they are asked for (`gauges`); counters and
histograms are kept in one Redis hash (`counters`), to which workers add once a slice and once a
wave, never once an item. So every web process gives the same answer, whichever is asked, and
none has to know of the others. `catalogue` lists all metrics.
"""
