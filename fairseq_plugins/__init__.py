"""The fairseq user-dir: RIMs and their baselines as fairseq models, tasks and repairs (``--user-dir fairseq_plugins``).

Importing the package repairs fairseq and registers everything, so that library use needs no ``--user-dir``.
"""

from fairseq_plugins import repairs

repairs.apply()

from fairseq_plugins import criterions, models, tasks  # noqa: E402, F401
