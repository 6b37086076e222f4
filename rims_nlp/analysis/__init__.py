"""Looking inside RIM layers: which units are active when, what they are active for, what is lost without one."""

from rims_nlp.analysis.ablation import without_unit
from rims_nlp.analysis.activity import ModuleActivity, find_rims, record
from rims_nlp.analysis.labels import position_buckets, token_classes
from rims_nlp.analysis.specialisation import (
    Balance,
    Information,
    Overlap,
    active_share,
    load_balance,
    mutual_information,
    overlap,
    share_by_label,
)

__all__ = [
    "Balance",
    "Information",
    "ModuleActivity",
    "Overlap",
    "active_share",
    "find_rims",
    "load_balance",
    "mutual_information",
    "overlap",
    "position_buckets",
    "record",
    "share_by_label",
    "token_classes",
    "without_unit",
]
