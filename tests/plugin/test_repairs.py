"""The list of repairs: applied once, each only where it is needed."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest
from fairseq.data import data_utils

from fairseq_plugins import repairs


def fake_repair(name: str, *, needed: bool) -> SimpleNamespace:
    return SimpleNamespace(__name__=name, needed=lambda: needed, apply=mock.Mock())


def test_each_repair_is_applied_once_and_only_where_it_is_needed():
    faulty, sound = fake_repair("faulty", needed=True), fake_repair("sound", needed=False)
    with mock.patch.object(repairs, "REPAIRS", (faulty, sound)), mock.patch.object(repairs, "_applied", set()):
        repairs.apply()
        repairs.apply()
    faulty.apply.assert_called_once_with()
    sound.apply.assert_not_called()


def test_a_second_call_changes_nothing():
    before = data_utils.batch_by_size
    repairs.apply()
    assert data_utils.batch_by_size is before


@pytest.mark.parametrize("repair", repairs.REPAIRS, ids=lambda repair: repair.__name__.rpartition(".")[2])
def test_a_repair_says_what_it_repairs(repair):
    assert "Fault:" in repair.__doc__
    assert "It shows" in repair.__doc__
    assert "fairseq." in repair.__doc__
