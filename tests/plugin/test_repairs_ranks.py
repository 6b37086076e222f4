"""Repairs of runs on several processes, and of options that need a GPU."""

from __future__ import annotations

import collections
import inspect
import pickle
from argparse import Namespace
from pathlib import Path
from unittest import mock

import pytest
import torch
from fairseq import checkpoint_utils, models, utils
from fairseq.dataclass.configs import DistributedTrainingConfig, FairseqConfig
from fairseq.distributed import utils as distributed_utils
from fairseq.models import FairseqMultiModel, distributed_fairseq_model
from fairseq.optim.fp16_optimizer import FP16Optimizer
from omegaconf import OmegaConf
from torch import distributed, nn

from fairseq_plugins.repairs import cpu_ddp, torchrun_ranks
from tests.plugin import toy
from tests.plugin.original import without_repair

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return toy.binarise(tmp_path_factory.mktemp("toy"), train=40, valid=8, test=8)


# A checkpoint sent from rank 0


def send_to_another_rank(state):
    """What rank 1 gets when rank 0 broadcasts ``state``, both played by this process."""
    wire = []

    def broadcast(tensor, src, group):
        if distributed_utils.get_rank(group) == src:
            wire.append(tensor.clone())
        else:
            tensor.copy_(wire.pop(0).reshape(tensor.shape))

    cpu = torch.device("cpu")
    with mock.patch.object(distributed_utils, "broadcast", broadcast):
        with mock.patch.object(distributed_utils, "get_rank", lambda group: 0):
            distributed_utils.broadcast_object(state, 0, None, cpu)
        with mock.patch.object(distributed_utils, "get_rank", lambda group: 1):
            return distributed_utils.broadcast_object(None, 0, None, cpu)


@pytest.fixture
def state(data, tmp_path) -> dict:
    """A checkpoint as rank 0 has loaded it."""
    return checkpoint_utils.load_checkpoint_to_cpu(str(toy.train(data, tmp_path, *toy.LSTM_OPTIONS)))


def test_a_rank_receives_a_checkpoint(state):
    state["extra_state"]["counts"] = collections.defaultdict(int, {"a": 1})
    received = send_to_another_rank(state)
    assert OmegaConf.is_config(received["cfg"])
    assert received["cfg"].model == state["cfg"].model
    assert received["cfg"].checkpoint == state["cfg"].checkpoint
    assert received["extra_state"]["train_iterator"] == state["extra_state"]["train_iterator"]
    for name, weights in state["model"].items():
        assert torch.equal(received["model"][name], weights)


def test_fairseq_cannot_receive_it(state):
    with without_repair(distributed_utils, "_broadcast_object_slow"), pytest.raises(pickle.UnpicklingError):
        send_to_another_rank(state)


def test_the_configuration_objects_are_allowed_for_the_broadcast_only(state):
    before = set(map(str, torch.serialization.get_safe_globals()))
    send_to_another_rank(state)
    assert set(map(str, torch.serialization.get_safe_globals())) == before
    assert not any("DictConfig" in name for name in before)


# Processes on the CPU

TWO_RANKS = ("--distributed-world-size", "2", "--distributed-init-method", "tcp://localhost:29400")


@WITHOUT_GPU
def test_two_ranks_without_a_gpu_are_refused(data, tmp_path):
    message = (
        "--distributed-world-size 2: fairseq starts one process per GPU and there is none here.*"
        "--update-freq 2 .*--distributed-no-spawn --distributed-backend gloo"
    )
    with pytest.raises(ValueError, match=message):
        toy.train(data, tmp_path / "model", *toy.LSTM_OPTIONS, *TWO_RANKS)


@WITHOUT_GPU
def test_fairseq_trains_nothing_and_says_nothing(data, tmp_path):
    with without_repair(distributed_utils, "call_main"):
        toy.train(data, tmp_path / "model", *toy.LSTM_OPTIONS, *TWO_RANKS)
    assert not (tmp_path / "model").exists()


# Processes that torchrun started


@pytest.fixture
def torchrun(monkeypatch):
    """What the second process of two finds in its environment, on a node of its own."""
    told = {"TORCHELASTIC_RUN_ID": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29400", "WORLD_SIZE": "2",
            "RANK": "1", "LOCAL_RANK": "0"}  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed_utils, "distributed_main", lambda *arguments: None)


def ranks_of(world_size: int, call_main=None, **changes) -> DistributedTrainingConfig:
    """What training is called with, for ``--distributed-world-size`` and other options; nothing is trained."""
    cfg = OmegaConf.structured(FairseqConfig())
    cfg.distributed_training.distributed_world_size = world_size
    cfg.distributed_training.update(changes)
    (call_main or distributed_utils.call_main)(cfg, lambda cfg: None)
    return cfg.distributed_training


@pytest.mark.parametrize("world_size", [1, 8])
def test_ranks_of_torchrun_are_taken(torchrun, world_size):
    ranks = ranks_of(world_size)
    assert (ranks.distributed_world_size, ranks.distributed_rank, ranks.device_id) == (2, 1, 0)
    assert (ranks.distributed_init_method, ranks.distributed_no_spawn) == ("env://", True)


def test_an_init_method_of_ones_own_comes_first(torchrun):
    own = {"distributed_init_method": "tcp://localhost:29500", "distributed_no_spawn": True, "distributed_rank": 0}
    ranks = ranks_of(3, **own)
    assert {name: ranks[name] for name in own} == own
    assert ranks.distributed_world_size == 3


def test_one_process_of_torchrun_is_no_group(torchrun, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert ranks_of(1).distributed_init_method is None


def test_fairseq_trains_a_model_in_every_process(torchrun):
    assert torchrun_ranks.needed()
    ranks = ranks_of(1, inspect.unwrap(distributed_utils.call_main))
    assert (ranks.distributed_world_size, ranks.distributed_init_method) == (1, None)


@WITHOUT_GPU
def test_fairseq_divides_by_the_number_of_gpus(torchrun):
    with pytest.raises(ZeroDivisionError):
        ranks_of(2, inspect.unwrap(distributed_utils.call_main))


@pytest.fixture
def one_rank(tmp_path):
    """A process group of one."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    yield distributed.group.WORLD
    distributed.destroy_process_group()


def wrap(model: nn.Module, group, *, backend: str = "pytorch_ddp") -> nn.Module:
    options = Namespace(
        tpu=False, ddp_backend=backend, device_id=0, broadcast_buffers=False, bucket_cap_mb=25, ddp_comm_hook="none",
        find_unused_parameters=False, gradient_as_bucket_view=False, heartbeat_timeout=-1,
    )  # fmt: skip
    return models.DistributedFairseqModel(options, model, group, torch.device("cpu"))


@pytest.mark.parametrize("backend", ["pytorch_ddp", "c10d", "legacy_ddp"])
def test_every_backend_wraps_a_model_on_the_cpu(one_rank, backend):
    model = nn.Linear(3, 2)
    wrap(model, one_rank, backend=backend)(torch.ones(1, 3)).sum().backward()
    assert torch.equal(model.bias.grad, torch.ones(2))


def test_fairseq_asks_for_device_0(one_rank):
    name = "DistributedDataParallel"
    with without_repair(distributed_fairseq_model, name), pytest.raises(ValueError, match=r"got device_ids \[0\]"):
        wrap(nn.Linear(3, 2), one_rank)


def test_the_device_of_a_model_elsewhere_is_kept():
    seen = {}

    def constructor(**options):
        seen.update(options)

    cpu_ddp.without_device_on_cpu(constructor)(nn.Linear(3, 2, device="meta"), device_ids=[0], output_device=0)
    assert seen["device_ids"] == [0]
    assert seen["output_device"] == 0


# Several language pairs


class TwoPairs(FairseqMultiModel):
    """A model per language pair, as small as can be."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.models = nn.ModuleDict({"en-de": nn.Linear(1, 1), "en-fr": nn.Linear(1, 1)})


@pytest.mark.parametrize("backend", ["pytorch_ddp", "c10d", "slowmo", "fully_sharded"])
def test_backends_that_do_not_average_are_refused(backend):
    message = f"--ddp-backend {backend}: each process would train a model of its own.*Use --ddp-backend legacy_ddp"
    with pytest.raises(ValueError, match=message):
        wrap(TwoPairs(), None, backend=backend)


def test_legacy_ddp_is_not_refused(one_rank):
    assert wrap(TwoPairs(), one_rank, backend="legacy_ddp") is not None


def test_fairseq_wraps_it_without_a_word(one_rank):
    with without_repair(models, "DistributedFairseqModel"):
        assert wrap(TwoPairs(), one_rank) is not None


# Half precision


@WITHOUT_GPU
@pytest.mark.parametrize(
    ("option", "message"),
    [("--fp16", "--fp16 needs a GPU.*--memory-efficient-fp16"), ("--bf16", "--bf16 and --tpu mean a TPU to fairseq")],
)
def test_options_that_need_a_device(option, message, data, tmp_path):
    with pytest.raises(ValueError, match=message):
        toy.train(data, tmp_path, *toy.LSTM_OPTIONS, option)


@WITHOUT_GPU
def test_the_half_precision_that_works(data, tmp_path):
    assert toy.train(data, tmp_path, *toy.LSTM_OPTIONS, "--memory-efficient-fp16").exists()


@WITHOUT_GPU
def test_fairseq_says_something_else():
    build = inspect.unwrap(FP16Optimizer.build_fp32_params.__func__)
    with pytest.raises((AssertionError, RuntimeError), match="CUDA|NVIDIA"):
        build(FP16Optimizer, Namespace(), [nn.Parameter(torch.zeros(1))])
    with pytest.raises(AttributeError, match="xla_device"):
        inspect.unwrap(utils.get_tpu_device)()
