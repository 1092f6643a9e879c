"""What each speed trick of the network is worth, end to end: every trick switched off alone, all variants in turns.

    git worktree add /tmp/before befb6d4
    PYTHONPATH=/tmp/before/src python benchmarks/tricks.py [--rounds 15] [--threads 1] [--names tmunet_b] [--allocator]

befb6d4 is the last commit that had all of them. Inference: 512 x 512 pixels, batch 1, `optimize_for_inference`. Training step:
256 x 256 pixels, batch 4, forward and backward. Ratios of time without the trick to time with all of them, medians by rounds;
CPU is user and system time of the process, which other programs on the machine disturb less than wall time.
"""

import argparse
import contextlib
import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock


def main() -> None:
    """Measure and print one table a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--names", nargs="+", default=["tmunet_b", "tmunet_s", "tmunet_t"])
    parser.add_argument("--allocator", action="store_true", help="keep freed memory, as the command `tmunet` does")
    given = parser.parse_args()
    if given.allocator:
        from tmunet.cli.process_setup import prepare_process

        prepare_process()
    import torch

    torch.set_num_threads(given.threads)
    print("| network | | without | wall | CPU |\n|---|---|---|---|---|")
    for name in given.names:
        for what, variants in (("inference", inference(name)), ("training step", training(name))):
            for trick, (wall, cpu) in compare(variants, given.rounds).items():
                print(f"| `{name}` | {what} | {trick} | {wall:.2f} | {cpu:.2f} |", flush=True)


def compare(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Ratios of every variant to the first one, wall and CPU time; the turns begin with another variant each round."""
    names = list(variants)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(rounds + 1):  # the first one warms up
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.perf_counter(), time.process_time()
            variants[name]()
            if turn:
                times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    first = times[names[0]]
    ratios = {name: [(a[0] / b[0], a[1] / b[1]) for a, b in zip(times[name], first, strict=True)] for name in names[1:]}
    return {
        name: (statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs))
        for name, pairs in ratios.items()
    }


def inference(name: str) -> dict[str, Callable[[], object]]:
    """One image through the optimized network."""
    import torch

    from tmunet.nn.inference.optimize import optimize_for_inference
    from tmunet.nn.mlstm import mlstm_chunkwise
    from tmunet.registry import create_model

    fused_conv_stage, fused_skip, fused_xlstm, strips = (
        module(f"inference.{name}") for name in ("fused_conv_stage", "fused_skip", "fused_xlstm", "strips")
    )
    torch.manual_seed(0)
    model, image = create_model(name).eval(), torch.randn(1, 3, 512, 512)
    network = optimize_for_inference(model)
    with mock.patch.object(module("xlstm").XLSTMLayer, "inference_form", lambda layer: layer):
        plain_xlstm = optimize_for_inference(model)

    def run(network: Any, *patches: Any) -> Callable[[], object]:
        def call() -> None:
            with patched(*patches), torch.inference_mode():
                network(image)

        return call

    return {
        "nothing": run(network),
        "tiling of fine maps": run(network, (strips, "LARGE", 2**60)),
        "split skip convolution": run(network, (fused_skip.SkipRefinement, "_refine", joined_skip)),
        "both directions as one tensor": run(network, (fused_xlstm.InferenceXLSTM, "forward", separate_inference)),
        "maximum in two steps": run(network, (fused_conv_stage.InferenceConvStage, "forward", pool_then_relu)),
        "maximum in two steps, pooling before ReLU": run(
            network, (fused_conv_stage.InferenceConvStage, "forward", relu_then_pool)
        ),
        "fused xLSTM layer": run(plain_xlstm),
        "one scale a chunk (the mLSTM kernel)": run(network, (fused_xlstm, "mlstm", mlstm_chunkwise)),
        "`optimize_for_inference`": run(model),
    }


def training(name: str) -> dict[str, Callable[[], object]]:
    """Forward and backward of a batch."""
    import torch

    from tmunet.nn.mlstm import mlstm_chunkwise
    from tmunet.registry import create_model

    tmunet, xlstm, block_diagonal = (module(name) for name in ("tmunet", "xlstm", "kernels.block_diagonal"))
    torch.manual_seed(0)
    model, images = create_model(name).train(), torch.randn(4, 3, 256, 256)
    parameters = list(model.parameters())

    def run(*patches: Any) -> Callable[[], object]:
        def call() -> None:
            with patched(*patches):
                torch.autograd.grad(model(images).square().mean(), parameters)

        return call

    return {
        "nothing": run(),
        "packing of four channels": run(
            (block_diagonal, "_permute_blocks", lambda y, *order: y.permute(*order, len(order)).contiguous())
        ),
        "pooling before ReLU": run(
            (tmunet.ConvStage, "forward", lambda stage, x: stage[2](stage[3](stage[1](stage[0](x)))))
        ),
        "both directions as one tensor": run((xlstm.MatrixLSTM, "forward", separate_training)),
        "hand-written gradient (the mLSTM kernel)": run((xlstm, "mlstm", mlstm_chunkwise)),
    }


def module(name: str) -> Any:
    """A module of `tmunet.nn` as it was at that commit."""
    return importlib.import_module(f"tmunet.nn.{name}")


@contextlib.contextmanager
def patched(*patches: tuple[Any, str, Any]) -> Iterator[None]:
    """Replace attributes of modules and classes for a while."""
    with contextlib.ExitStack() as stack:
        for place, name, value in patches:
            stack.enter_context(mock.patch.object(place, name, value))
        yield


def joined_skip(layer: Any, up: Any, skip: Any) -> Any:
    """The separable refinement of the concatenated maps."""
    import torch
    import torch.nn.functional as F

    x = torch.cat([up, skip], dim=1)
    weight = torch.cat([layer.up_depthwise, layer.skip_depthwise])
    x = F.conv2d(x, weight, torch.cat([layer.up_bias, layer.skip_bias]), padding=1, groups=x.shape[1])
    return F.conv2d(x, torch.cat([layer.up_pointwise, layer.skip_pointwise], dim=1), layer.bias).relu_()


def pool_then_relu(stage: Any, x: Any) -> Any:
    """E1-E3 with torch's max-pooling."""
    return stage.pool(stage.convolution(x)).relu_()


def relu_then_pool(stage: Any, x: Any) -> Any:
    """E1-E3 as the paper prints them."""
    return stage.pool(stage.convolution(x).relu_())


def separate_training(layer: Any, x: Any) -> Any:
    """`MatrixLSTM.forward`, one direction after the other."""
    import torch

    return torch.stack([one_direction(layer, x[:, :, n], n) for n in (0, 1)], dim=2)


def one_direction(layer: Any, x: Any, n: int) -> Any:
    """Tokens (B, T, d) of direction `n` -> (B, T, d)."""
    import math

    import torch
    import torch.nn.functional as F

    xlstm, project_blocks = module("xlstm"), module("kernels.block_diagonal").project_blocks
    B, T, d = x.shape
    heads, D = layer.heads, d // layer.heads
    weight = layer.qkv_weight[n * d // 4 : (n + 1) * d // 4]
    q, k, v = project_blocks(x.reshape(B * T, d), weight, heads).reshape(3, heads, B, T, D)
    gates = (x @ layer.gate_weight[n]).reshape(B, T, 2, heads).permute(2, 3, 0, 1)
    i = gates[0] + layer.input_gate_bias[n][:, None, None]
    f = gates[1] + layer.forget_gate_bias[n][:, None, None]
    h = xlstm.mlstm(q, k / math.sqrt(D), v, i, f, layer.forget_gate, layer.chunk_size)
    h = F.layer_norm(h, (D,)).permute(1, 2, 0, 3).reshape(B, T, d) * layer.norm_weight[n] + layer.norm_bias[n]
    return torch.sigmoid(F.linear(x, layer.output_gate_weight[n].mT, layer.output_gate_bias[n])) * h


def separate_inference(layer: Any, x: Any) -> Any:
    """`InferenceXLSTM.forward`, one direction after the other."""
    import torch
    import torch.nn.functional as F

    fused_xlstm = module("inference.fused_xlstm")
    B, T, d = x.shape
    heads, D = layer.heads, d // layer.heads
    normal, readings = F.layer_norm(x, (d,)), []
    for n in (0, 1):
        tokens = (normal.flip(1) if n else normal).reshape(B * T, d)
        of_direction = slice(n * heads, (n + 1) * heads)
        y = torch.addmm(layer.in_bias[n], tokens, layer.in_weight[n])
        u = y[:, :d].reshape(B * T, heads, D).transpose(0, 1)
        q, k, v = torch.bmm(u, layer.qkv_weight[of_direction]).reshape(heads, B, T, 3 * D).chunk(3, dim=-1)
        i, f = y[:, d:].reshape(B, T, 2, heads).permute(2, 3, 0, 1)
        h = fused_xlstm.mlstm(q, k, v, i, f, layer.forget_gate, layer.chunk_size)
        h = h.mul_(torch.rsqrt((h * h).mean(-1, keepdim=True) + 1e-5))
        h = h.mul_(layer.norm_weight[of_direction]).add_(layer.norm_bias[of_direction])
        o = torch.addmm(layer.out_gate_bias[n], tokens, layer.out_gate_weight[n]).sigmoid_()
        readings.append(o.reshape(B, T, d).mul_(h.permute(1, 2, 0, 3).reshape(B, T, d)))
    return layer.project_out(readings[0] * readings[1].flip(1)).add_(x)


if __name__ == "__main__":
    main()
