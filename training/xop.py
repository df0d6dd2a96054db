#!/usr/bin/env python3
"""Train three small families with and without the X-operator, and compare them.

A residual, a DenseNet-style and a MobileNetV1-style network tell NORMAL from
PNEUMONIA on the paediatric chest X-rays of Kermany, Zhang and Goldbaum (doi
10.17632/rscbjbr9sj, CC BY 4.0). Each is trained with its 3x3 convolutions, with
depthwise-separable ones, and with X-operators; the first convolution stays.

All 5,216 images of train.tar are trained on, and the 624 of test.tar are read
once after the last step; nothing is chosen by them. --validate holds out 12 % of
the patients of train.tar and reports on those instead: for trying settings.

Appends one JSON line for every finished run to --out, and skips those there.
--table prints its table, beside what the networks cost.
"""
import argparse
import itertools
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from chestnet import BasicBlock, PlainBlock, load, metrics, patient, predict
from layers import VARIANTS, conv
from safetensors.torch import save
from torch import nn

SIZE, SHIFT = 64, 4  # pixels
FAMILIES = ["residual", "densenet", "mobilenet"]


class DenseLayer(nn.Module):
    """Pre-activation bottleneck layer of DenseNet-BC: 1x1 to 4 k channels, 3x3 to k."""

    def __init__(self, variant, cin, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(cin)
        self.conv1 = nn.Conv2d(cin, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv(variant, 4 * growth, growth)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class Transition(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm = nn.BatchNorm2d(cin)
        self.conv = nn.Conv2d(cin, cout, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


def features(family, variant):
    """The layers between stem and pool of a family, and their channels out; 16 come in."""
    if family == "residual":
        return [BasicBlock(variant, 16, 16, 1), BasicBlock(variant, 16, 32, 2),
                BasicBlock(variant, 32, 64, 2)], 64
    if family == "mobilenet":
        plan = [(16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
        return [PlainBlock(variant, *p) for p in plan], 64
    c, growth, layers = 16, 8, []
    for block in range(3):
        for _ in range(3):
            layers.append(DenseLayer(variant, c, growth))
            c += growth
        if block < 2:
            layers.append(Transition(c, c // 2))
            c //= 2
    return [*layers, nn.BatchNorm2d(c), nn.ReLU()], c


class Net(nn.Module):
    """Stem 3x3 stride 2 and 2x2 max-pool, the family's layers, average pool, linear."""

    def __init__(self, family, variant):
        super().__init__()
        self.conv0 = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.norm0 = nn.BatchNorm2d(16)
        layers, c = features(family, variant)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(c, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm0(self.conv0(x))), 2)
        return self.classifier(self.features(x).mean((2, 3)))


def batches(x, y, args, g):
    """Class-balanced batches, every image flipped at random and shifted by up to 4 pixels."""
    padded = F.pad(x[:, 0], (SHIFT,) * 4)
    weight = 1.0 / torch.bincount(y).double()[y]
    steps, span = len(x) // args.batch * args.epochs, torch.arange(SIZE)
    for _ in range(steps):
        idx = torch.multinomial(weight, args.batch, True, generator=g)
        corner = torch.randint(0, 2 * SHIFT + 1, (2, args.batch, 1), generator=g)
        flip = torch.rand(args.batch, 1, generator=g) < 0.5
        rows, columns = corner[0] + span, corner[1] + torch.where(flip, SIZE - 1 - span, span)
        yield padded[idx[:, None, None], rows[:, :, None], columns[:, None]][:, None], y[idx]


def train(model, x, y, mean, std, args, seed):
    """SGD with Nesterov momentum on a one-cycle schedule; the weights at its end."""
    g = torch.Generator().manual_seed(seed)
    opt = torch.optim.SGD(model.parameters(), args.lr, 0.9, weight_decay=args.weight_decay,
                          nesterov=True)
    sched = torch.optim.lr_scheduler.OneCycleLR(
        opt, args.lr, len(x) // args.batch * args.epochs, 0.2)
    model.train()
    for xb, yb in batches(x, y, args, g):
        loss = F.cross_entropy(model((xb / 255.0 - mean) / std), yb,
                               label_smoothing=args.smoothing)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()


def macs(model):
    """Multiply-accumulates of one image, products with padding counted."""
    total = [0]
    def hook(m, _, out):
        total[0] += m.weight.numel() * out[0, 0].numel()
    handles = [m.register_forward_hook(hook) for m in model.modules()
               if isinstance(m, (nn.Conv2d, nn.Linear))]
    predict(model, torch.zeros(1, 1, SIZE, SIZE))
    for h in handles:
        h.remove()
    return total[0]


def table(lines, costs):
    """One row for every network: its cost, mean and deviation over the seeds.

    costs is what nets' example xop_networks prints.
    """
    print("| network | 3×3 layers | parameters | MACs | online directly, MB | online, MB "
          "| refill, MB | accuracy, % | AUC |\n|---|---|--:|--:|--:|--:|--:|--:|--:|")
    seeds = min(Counter((r["family"], r["variant"]) for r in lines).values())
    for row in costs.read_text().splitlines()[2:]:
        family, variant, parameters, macs, direct, online, refill, _ = [
            c.strip() for c in row.strip("|").split("|")]
        runs = [r for r in lines if (r["family"], r["variant"]) == (family, variant)][:seeds]
        assert all(r["parameters"] == int(parameters) for r in runs), (family, variant)

        def spread(key, scale, digits):
            v = scale * np.array([r[key] for r in runs])
            return f"{v.mean():.{digits}f} ± {v.std(ddof=min(1, seeds - 1)):.{digits}f}"
        print(f"| {family} | {variant} | {int(parameters):,} | {int(macs):,} "
              f"| {int(direct) / 1e6:.1f} | {int(online) / 1e6:.1f} | {int(refill) / 1e6:.1f} "
              f"| {spread('accuracy', 100, 1)} | {spread('auc', 1, 3)} |")
    print(f"\n{seeds} seeds")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", type=Path, default=Path("../shared/models/images/kermany_224"))
    p.add_argument("--out", type=Path, default=Path("xop.jsonl"))
    p.add_argument("--weights", type=Path, help="folder for one safetensors file per run")
    p.add_argument("--validate", action="store_true", help="leave the test set unread")
    p.add_argument("--table", type=Path, metavar="COSTS",
                   help="print the table, with the costs of nets' xop_networks, and stop")
    p.add_argument("--only", nargs="*", default=[], help="families or variants to run")
    for name, value in {"seeds": 3, "epochs": 6, "batch": 64, "lr": 0.1, "weight-decay": 5e-4,
                        "smoothing": 0.1}.items():
        p.add_argument(f"--{name}", type=type(value), default=value, help=" ")
    args = p.parse_args()
    done = [json.loads(s) for s in args.out.open()] if args.out.exists() else []
    if args.table:
        return table(done, args.table)
    torch.set_num_threads(1)

    rows, x, y, _ = load(args.data, "train", SIZE)
    if args.validate:
        people = sorted({patient(r) for r in rows})
        np.random.default_rng(0).shuffle(people)
        held = set(people[:round(0.12 * len(people))])
        val = torch.tensor([patient(r) in held for r in rows])
        x, y, xt, yt = x[~val], y[~val], x[val], y[val]
    else:
        _, xt, yt, _ = load(args.data, "test", SIZE)
    mean, std = (x / 255.0).mean().item(), (x / 255.0).std().item()
    seen = {(r["family"], r["variant"], r["seed"]) for r in done}
    # Seed by seed, so that a partial file still compares every network.
    for seed, family, variant in itertools.product(range(args.seeds), FAMILIES, VARIANTS):
        wanted = not args.only or {family, variant} & set(args.only)
        if (family, variant, seed) in seen or not wanted:
            continue
        start = time.monotonic()
        torch.manual_seed(seed)
        model = Net(family, variant).to(memory_format=torch.channels_last)
        train(model, x, y, mean, std, args, seed)
        model = model.to(memory_format=torch.contiguous_format).eval()
        line = {"family": family, "variant": variant, "seed": seed,
                "parameters": sum(v.numel() for v in model.parameters()), "macs": macs(model),
                **metrics(predict(model, (xt / 255.0 - mean) / std), yt),
                "seconds": round(time.monotonic() - start, 1), "epochs": args.epochs}
        with args.out.open("a") as out:
            out.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
        if args.weights:
            args.weights.mkdir(parents=True, exist_ok=True)
            state = {k: v.float().contiguous() for k, v in model.state_dict().items()
                     if not k.endswith("num_batches_tracked")}
            name = f"{family}-{variant.replace('/', '_')}-{seed}.safetensors"
            (args.weights / name).write_bytes(save(state))


if __name__ == "__main__":
    main()
