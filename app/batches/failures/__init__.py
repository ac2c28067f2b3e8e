"""What went wrong in a batch, by cause: its *failures*.

Items that FAILED or are INVALID have the same failure if operation, status, code and message are
the same, but for what varies in the message (`normal_form.py`). Its id (`identity.py`) is made of
these and nothing else, so it is the same for every client, in every batch and release. Whoever ends
items so gives them their failure and counts them, in the same transaction (`grouping.py`); a retry
takes both away again. What stands there is read by `reading.py`.
"""
