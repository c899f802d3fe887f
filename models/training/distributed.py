"""Several processes as one batch: gathering with gradients, and BatchNorm over all of them.

Every process computes the loss of the whole batch. The collectives' backward sums what all processes send back, and
DistributedDataParallel then averages over them: the gradients are those of one process with the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import _functional_collectives as collectives
from torch.nn.modules.batchnorm import _BatchNorm

from pocketclip.models.errors import ConfigError, choices

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train together, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """`(n, ...)` of every process, in the order of ranks, as `(world * n, ...)`; gradients flow back."""
        if self.world == 1:
            return rows
        gathered = collectives.all_gather_single(rows.contiguous(), 0, _group())
        return gathered.wait() if isinstance(gathered, collectives.AsyncCollectiveTensor) else gathered

    def gather_objects(self, value: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The small values of all processes, in the order of ranks."""
        if self.world == 1:
            return [dict(value)]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, dict(value))
        return values

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """The processes that torchrun started, as its environment variables say; else this one alone.

    Raises:
        ConfigError: the device is unknown or not there.
    """
    if device not in DEVICES:
        raise ConfigError(f"there is no device {device!r}", fix=f"choose among: {choices(DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was requested, but PyTorch finds no GPU", fix="choose cpu or auto")
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    chosen = torch.device("cpu")
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(rank, world, chosen)
    finally:
        dist.destroy_process_group()


class GatheredBatchNorm(_BatchNorm):
    """BatchNorm whose statistics in training are those of all processes; for the CPU, which torch's own lacks.

    Shape: `(N, C, ...)` in and out. Every process must hold equally many samples.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (N, C, ...), got {input.dim()} dimensions")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.dim())]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = input.numel() // input.shape[1] * dist.get_world_size()
        values = at_least_float32(input)
        # Two rounds, since the sum of squares minus the squared sum loses digits.
        mean = _sum(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = _sum(centred.square().sum(axes)) / count
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * (count / max(1, count - 1)))
        normed = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def share_batch_statistics(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every BatchNorm exchanged for one over all processes; weights and keys stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    if isinstance(module, _BatchNorm):
        shared = GatheredBatchNorm(
            module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
        )
        shared.train(module.training)
        # The very same parameters and buffers, as torch's own conversion keeps them.
        shared.weight, shared.bias = module.weight, module.bias
        shared.running_mean, shared.running_var = module.running_mean, module.running_var
        shared.num_batches_tracked = module.num_batches_tracked
        return shared
    for name, child in module.named_children():
        replaced = share_batch_statistics(child, device)
        if replaced is not child:
            setattr(module, name, replaced)
    return module


@contextmanager
def unmoved_statistics(module: nn.Module) -> Iterator[None]:
    """Inside, BatchNorms in training leave their running statistics alone: a second pass must not count twice."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.track_running_stats]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # Not by `track_running_stats`, with which the layer would save other tensors than in the first pass.
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted


def at_least_float32(values: Tensor) -> Tensor:
    """The values as they are, or in float32 where they are of half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _sum(values: Tensor) -> Tensor:
    total = collectives.all_reduce(values, "sum", _group())
    return total.wait() if isinstance(total, collectives.AsyncCollectiveTensor) else total


def _group() -> dist.ProcessGroup:
    group = dist.group.WORLD
    assert group is not None
    return group
