"""Audit: who changed what, when and from where, written in the transaction of the change.

A row an action, and none where it was refused, was only repeated, or changed nothing. What an
action leads to behind its answer is not told again. Rows outlive what they are about.
"""
