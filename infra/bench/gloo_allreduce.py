"""The exchange of one float32 gradient between processes by PyTorch's Gloo, in place. Prints one line of JSON with the keys of
`trainer bench allreduce --json`.

    python gloo_allreduce.py --ranks 2 --floats 11173962
"""

import argparse
import json
import os
import statistics
import tempfile
import time

import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing

WARMUP_ROUNDS = 3


def rounds_of(floats):
    """As many as `trainer bench allreduce` takes."""
    return 31 if floats > 4_000_000 else 201


def rank_main(rank, ranks, floats, folder):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=ranks)
    gradient = torch.ones(floats)
    spans = []
    for _ in range(WARMUP_ROUNDS + rounds_of(floats)):
        distributed.barrier()
        began = time.perf_counter()
        distributed.all_reduce(gradient)
        spans.append((began, time.perf_counter()))
        # Sums of sums would overflow.
        gradient.fill_(1)
    with open(os.path.join(folder, f"{rank}.json"), "w") as file:
        json.dump(spans[WARMUP_ROUNDS:], file)
    distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--floats", type=int, default=11_173_962)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(rank_main, (options.ranks, options.floats, folder), nprocs=options.ranks)
        by_rank = []
        for rank in range(options.ranks):
            with open(os.path.join(folder, f"{rank}.json")) as file:
                by_rank.append(json.load(file))
    # By round, from the first rank's beginning to the last one's end: the clock is the machine's.
    times = [1e3 * (max(end for _, end in spans) - min(begin for begin, _ in spans)) for spans in zip(*by_rank)]
    # A rank's own time: what a process sees that does not look at the others.
    own = [1e3 * (end - begin) for begin, end in by_rank[0]]
    result = {
        "exchange_ms_median": round(statistics.median(times), 3),
        "exchange_ms_best": round(min(times), 3),
        "rank_0_ms_median": round(statistics.median(own), 3),
        "ranks": options.ranks,
        "floats": options.floats,
        "wire": "fp32",
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
