"""One training step of a residual network in PyTorch on the CPU, as fast as PyTorch goes: channels-last memory, bfloat16 by
autocast, compiled where asked. Prints one line of JSON with the keys of `trainer bench step --json`.

    python torch_step.py --depth 20 --precision bf16 --batch-size 128 --steps 20 [--compile]
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

# The networks that `trainer bench step` builds: widths of the stages, blocks in each.
NETWORKS = {18: ((64, 128, 256, 512), 2), 20: ((16, 32, 64), 3), 32: ((16, 32, 64), 5), 56: ((16, 32, 64), 9)}
WARMUP_STEPS = 3


def convolution(inputs, outputs, side, stride):
    layer = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride)
        self.second = convolution(outputs, outputs, 3, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x):
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


def network(depth):
    widths, blocks = NETWORKS[depth]
    layers, channels = [convolution(3, widths[0], 3, 1), nn.ReLU()], widths[0]
    for stage, width in enumerate(widths):
        for index in range(blocks):
            layers.append(Block(channels, width, 2 if stage > 0 and index == 0 else 1))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, required=True, choices=sorted(NETWORKS))
    parser.add_argument("--precision", required=True, choices=("fp32", "bf16"))
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(1)
    model = network(args.depth).to(memory_format=torch.channels_last)
    images = torch.randn(args.batch_size, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.arange(args.batch_size) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    forward = torch.compile(model) if args.compile else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            loss = functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    began = time.perf_counter()
    for _ in range(WARMUP_STEPS):
        step()
    warmup = time.perf_counter() - began
    times = []
    for _ in range(args.steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    median = statistics.median(times)
    print(
        json.dumps(
            {
                "images_per_sec_median": round(args.batch_size / median, 1),
                "images_per_sec_best": round(args.batch_size / min(times), 1),
                "step_ms_median": round(median * 1e3, 2),
                "batch_size": args.batch_size,
                "depth": args.depth,
                "precision": args.precision,
                "engine": f"PyTorch {torch.__version__}",
                "warmup_ms": round(warmup * 1e3),
                "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
