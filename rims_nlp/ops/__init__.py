"""Recurrences as pure functions: for each op the equations (``naive.py``) and the faster rungs beside them."""
