"""BatchNorm over two processes: the gradients of a whole network are those of one process, in float64."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tmunet.losses import DiceCELoss
from tmunet.registry import create_model
from tmunet.training import sync_norm
from tmunet.training.sync_norm import SyncedBatchNorm2d, SyncedNorms

WORKER = """
import sys, torch, torch.distributed as dist
from tmunet.losses import DiceCELoss
from tmunet.registry import create_model
from tmunet.training.sync_norm import SyncedNorms

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
torch.manual_seed(0)
network = SyncedNorms().apply(create_model("tmunet_t").double())
images, masks = torch.load(f"{folder}/batch.pt")
part = slice(2 * rank, 2 * rank + 2)
DiceCELoss()(network(images[part]).double(), masks[part]).mean().backward()
for parameter in network.parameters():
    dist.all_reduce(parameter.grad)
    parameter.grad /= 2
if rank == 0:
    torch.save({name: p.grad for name, p in network.named_parameters()}, f"{folder}/gradients.pt")
    torch.save(network.state_dict(), f"{folder}/state.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow  # test_distributed trains with it
def test_two_processes_have_the_gradients_and_statistics_of_one(tmp_path: Path) -> None:
    images, masks = torch.randn(4, 3, 48, 40, dtype=torch.float64), torch.randint(2, (4, 48, 40), dtype=torch.uint8)
    torch.save((images, masks), tmp_path / "batch.pt")
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    torch.manual_seed(0)
    network = create_model("tmunet_t").double()
    DiceCELoss()(network(images), masks).mean().backward()
    found = torch.load(tmp_path / "gradients.pt")
    largest = max(float(p.grad.abs().max()) for p in network.parameters() if p.grad is not None)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-6 * largest, msg=name)
    state = torch.load(tmp_path / "state.pt")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-9, atol=1e-12)


def test_a_large_mean_leaves_the_variance_its_digits_and_bfloat16_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_norm, "all_reduce", lambda x: x)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    images = 1000 + 0.5 * torch.randn(4, 3, 8, 8)
    plain, synced = nn.BatchNorm2d(3), SyncedBatchNorm2d(3)
    torch.testing.assert_close(synced(images), plain(images), rtol=0, atol=1e-3)
    torch.testing.assert_close(synced.running_var, plain.running_var)
    lower = torch.randn(4, 3, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = synced(lower)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, plain(lower), rtol=2**-7, atol=2**-7)


def test_layers_are_exchanged_and_given_back() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    weight = model[1].weight
    assert type(SyncedNorms().apply(model)[1]) is SyncedBatchNorm2d
    model.eval()
    images = torch.randn(2, 1, 6, 6)
    synced = model(images)
    assert type(SyncedNorms().revert(model)[1]) is nn.BatchNorm2d
    assert model[1].weight is weight
    assert torch.equal(model(images), synced)
