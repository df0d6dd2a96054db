#!/usr/bin/env python3
"""Train ChestNet, the small network of the Blindray demonstration.

ChestNet tells NORMAL from PNEUMONIA on the paediatric chest X-rays of Kermany,
Zhang and Goldbaum (doi 10.17632/rscbjbr9sj, CC BY 4.0). The data folder holds
train.tar, test.tar and labels.csv (columns split,file,label,subtype).

The validation set is carved from train.tar by patient. It alone decides the
final bias; the test set is read once, after training, to report.

Writes chestnet.safetensors, chestnet.reference.json and xrays/ to --out.
"""
import argparse
import base64
import copy
import csv
import io
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from layers import VARIANTS, conv
from safetensors.torch import save
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

LABELS = ["NORMAL", "PNEUMONIA"]


class BasicBlock(nn.Module):
    """Two 3x3 layers and a shortcut, ReLU after the sum (as in torchvision)."""

    def __init__(self, variant, cin, cout, stride):
        super().__init__()
        self.conv1 = conv(variant, cin, cout, stride)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = conv(variant, cout, cout)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(
                nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class PlainBlock(nn.Module):
    """One 3x3 layer."""

    def __init__(self, variant, cin, cout, stride):
        super().__init__()
        self.conv = conv(variant, cin, cout, stride)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


BLOCKS = {"residual": BasicBlock, "plain": PlainBlock}


class ChestNet(nn.Module):
    """Stem 3x3 stride 2, three stages of blocks, global average pool, linear."""

    def __init__(self, block, variant, widths, blocks):
        super().__init__()
        cin = widths[0]
        self.conv1 = nn.Conv2d(1, cin, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cin)
        for i, (cout, n) in enumerate(zip(widths, blocks)):
            stage = [block(variant, cin if j == 0 else cout, cout, 2 if i and j == 0 else 1)
                     for j in range(n)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
            cin = cout
        self.fc = nn.Linear(cin, 2)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def load(folder, split, size):
    """Rows of labels.csv, pixels as uint8 (N,1,S,S), labels, and the JPEG files."""
    rows = [r for r in csv.DictReader(open(folder / "labels.csv")) if r["split"] == split]
    with tarfile.open(folder / f"{split}.tar") as tar:
        jpeg = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    grey = [Image.open(io.BytesIO(jpeg[r["file"]])).convert("L") for r in rows]
    x = np.stack([np.asarray(i.resize((size, size), Image.Resampling.BILINEAR)) for i in grey])
    y = torch.tensor([LABELS.index(r["label"]) for r in rows])
    return rows, torch.from_numpy(x)[:, None], y, jpeg


def patient(row):
    """Patient key: personN for PNEUMONIA, the IM-N number for NORMAL."""
    return row["label"] + re.search(r"person\d+|IM-\d+", row["file"])[0]


def augment_intensity(x, g):
    """Random sharpness, gamma, contrast and brightness, on images in 0..1."""
    def u(lo, hi):
        return torch.rand(len(x), 1, 1, 1, generator=g, device=g.device) * (hi - lo) + lo
    x = x + u(-1.0, 1.0) * (x - F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, 1))
    x = x.clamp(0, 1) ** torch.exp(u(-0.6, 0.6))
    centre = x.mean((2, 3), keepdim=True)
    return ((x - centre) * u(0.6, 1.4) + centre + u(-0.2, 0.2)).clamp(0, 1)


def augment_geometry(x, g):
    """Random flip, rotation, anisotropic scale (crop), shift and shear in one resampling."""
    n = len(x)
    def u(lo, hi):
        return torch.rand(n, generator=g, device=g.device) * (hi - lo) + lo
    a, sx, sy = u(-0.2, 0.2), u(0.7, 1.1), u(0.7, 1.1)
    flip = 1 - 2 * (torch.rand(n, generator=g, device=g.device) < 0.5).float()
    theta = torch.stack([
        torch.stack([flip * sx * a.cos(), sy * (u(-0.15, 0.15) - a.sin()), u(-0.12, 0.12)], 1),
        torch.stack([flip * sx * a.sin(), sy * a.cos(), u(-0.12, 0.12)], 1)], 1)
    return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False),
                         align_corners=False)


@torch.no_grad()
def predict(model, x):
    """Logits of normalised images, in float32."""
    model.eval()
    return torch.cat([model(b) for b in x.split(256)])


def metrics(logits, y):
    """Figures at argmax, and the AUC by ranks (ties count half)."""
    d = (logits[:, 1] - logits[:, 0]).double()
    call, sick, n1 = d > 0, y == 1, int(y.sum())
    _, inverse, count = d.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2)[inverse]
    auc = (rank[sick].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(y) - n1))
    return {"accuracy": (call == sick).double().mean().item(), "auc": auc.item(),
            "sensitivity": call[sick].double().mean().item(),
            "specificity": (~call[~sick]).double().mean().item(), "images": len(y)}


def equal_error_shift(logits, y):
    """The log-odds at which sensitivity and specificity are (nearly) equal."""
    d = logits[:, 1] - logits[:, 0]
    t = d.sort().values
    sens = (d[y == 1][None] > t[:, None]).float().mean(1)
    spec = (d[y == 0][None] <= t[:, None]).float().mean(1)
    return t[(sens - spec).abs().argmin()].item()


def train(model, x, y, mean, std, args, report):
    """SGD with a one-cycle schedule on class-balanced batches; returns the EMA model."""
    g = torch.Generator().manual_seed(args.seed)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.ema), use_buffers=True)
    steps = len(x) // args.batch
    opt = torch.optim.SGD(model.parameters(), args.lr, 0.9, weight_decay=args.weight_decay,
                          nesterov=True)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, args.lr, args.epochs * steps, 0.15)
    weight = 1.0 / torch.bincount(y).double()[y]
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for idx in torch.multinomial(weight, steps * args.batch, True,
                                     generator=g).view(steps, args.batch):
            xb = augment_geometry(augment_intensity(x[idx] / 255.0, g), g)
            xb = (xb - mean) / std
            with torch.autocast("cpu", torch.bfloat16):
                out = model(xb)
            loss = F.cross_entropy(out.float(), y[idx], label_smoothing=args.smoothing)
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            ema.update_parameters(model)
            total += loss.item() / steps
        report(epoch, total, ema.module)
    return ema.module


def probe(model, x):
    """Multiply-accumulates of one image, and the largest magnitude each module gives on x."""
    macs, peak = [0], {}
    def hook(name):
        def run(m, _, out):
            peak[name] = max(peak.get(name, 0.0), out.abs().max().item())
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                macs[0] += m.weight.numel() * out[0, 0].numel() * len(out)
        return run
    for n, m in model.named_modules():
        if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d, *BLOCKS.values())):
            m.register_forward_hook(hook(n))
    predict(model, x)
    return macs[0] // len(x), {n: round(p, 3) for n, p in peak.items()}


def pick(rows, logits, y, extra):
    """Test rows for the reference file; the first three are the images to commit.

    Those are, of each of NORMAL, bacteria and virus, the correctly classified
    image of median margin; the others are evenly spaced over the test set.
    """
    margin = (logits[:, 1] - logits[:, 0]) * (2 * y - 1)
    chosen = []
    for subtype in ["", "bacteria", "virus"]:
        right = [i for i, r in enumerate(rows) if r["subtype"] == subtype and margin[i] > 0]
        chosen.append(sorted(right, key=lambda i: margin[i].item())[len(right) // 2])
    rest = [i for i in range(0, len(rows), len(rows) // extra) if i not in chosen]
    return chosen, chosen + rest[:extra]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", type=Path, default=Path("../shared/models/images/kermany_224"))
    p.add_argument("--out", type=Path, default=Path("cli/assets"))
    p.add_argument("--validate-only", action="store_true", help="leave the test set unread")
    p.add_argument("--block", choices=BLOCKS, default="plain",
                   help="what the stages consist of: two 3x3 layers and a shortcut, or one layer")
    p.add_argument("--layers", choices=VARIANTS, default="x-1-g1", help="the 3x3 layers of blocks")
    p.add_argument("--widths", type=int, nargs="+", default=[12, 24, 48], help="of the stages")
    p.add_argument("--blocks", type=int, nargs="+", default=[1, 2, 2], help="in each stage")
    for name, value in {"size": 80, "epochs": 80, "batch": 64, "lr": 0.1, "weight-decay": 5e-4,
                        "smoothing": 0.1, "ema": 0.998, "val-fraction": 0.12, "seed": 1}.items():
        p.add_argument(f"--{name}", type=type(value), default=value, help=" ")
    args = p.parse_args()
    torch.manual_seed(args.seed)

    rows, x, y, _ = load(args.data, "train", args.size)
    key = [patient(r) for r in rows]
    people = sorted(set(key))
    np.random.default_rng(args.seed).shuffle(people)
    held = set(people[:round(args.val_fraction * len(people))])
    val = torch.tensor([k in held for k in key])
    mean = round((x[~val] / 255.0).mean().item(), 4)
    std = round((x[~val] / 255.0).std().item(), 4)
    xv, yv = (x[val] / 255.0 - mean) / std, y[val]
    # The validation images again, four times, with other exposures and sharpness.
    g = torch.Generator().manual_seed(0)
    xs = (augment_intensity(x[val].repeat(4, 1, 1, 1) / 255.0, g) - mean) / std
    ys = yv.repeat(4)
    print(f"train {int((~val).sum())}, validation {len(yv)} images, "
          f"{len(people) - len(held)} + {len(held)} patients, mean {mean}, std {std}")

    def report(epoch, loss, m):
        if (epoch + 1) % 5 == 0:
            line = [f"{name} " + " ".join(f"{v:.4f}" for v in metrics(predict(m, a), b).values())
                    for name, a, b in [("val", xv, yv), ("shifted", xs, ys)]]
            print(f"epoch {epoch + 1} loss {loss:.4f} | " + " | ".join(line), flush=True)

    model = ChestNet(BLOCKS[args.block], args.layers, args.widths, args.blocks)
    if args.layers == "conv":  # others are no faster so
        model = model.to(memory_format=torch.channels_last)
    model = train(model, x[~val], y[~val], mean, std, args, report)
    model = model.to(memory_format=torch.contiguous_format).eval()
    # Fold into the bias the point where both error rates agree on validation images.
    shift = equal_error_shift(predict(model, xs), ys)
    with torch.no_grad():
        model.fc.bias[1] -= shift
    macs, peak = probe(copy.deepcopy(model), xv)
    weights = {k: v.float().contiguous() for k, v in model.state_dict().items()
               if not k.endswith("num_batches_tracked")}
    summary = {
        "arch": "chestnet-x" if args.layers.startswith("x-") else "chestnet", "labels": LABELS,
        "input": [1, args.size, args.size],
        "mean": mean, "std": std, "widths": args.widths, "blocks": args.blocks,
        "block": args.block, "layers": args.layers,
        "stem": "conv1 3x3, stride 2, pad 1; no max-pool", "bn_eps": model.bn1.eps,
        "parameters": sum(v.numel() for v in model.parameters()), "macs": macs,
        "bias_shift": shift, "validation": metrics(predict(model, xv), yv),
        "validation_shifted": metrics(predict(model, xs), ys), "peak_activation": peak,
        "training": {k: v for k, v in vars(args).items()
                     if k not in ("data", "out", "validate_only", "block", "layers", "widths",
                                  "blocks")}}
    print(json.dumps(summary, indent=1))
    if args.validate_only:
        return

    rows, x, y, jpeg = load(args.data, "test", args.size)
    logits = predict(model, (x / 255.0 - mean) / std)
    summary["test"] = metrics(logits, y)
    print("test", summary["test"])
    summary["preprocessing"] = (
        "JPEG to 8-bit grey (ITU-R 601 luma; the files are grey already), resize to "
        f"{args.size}x{args.size} with the antialiased triangle filter (Pillow BILINEAR, "
        f"8-bit result), x / 255, then (x - {mean}) / {std}; "
        "pixels_base64 holds the 8-bit pixels after the resize, row by row")
    commit, chosen = pick(rows, logits, y, 17)
    (args.out / "xrays").mkdir(parents=True, exist_ok=True)
    summary["images"] = [{**rows[i], "logits": logits[i].tolist()} for i in chosen]
    for i, image in zip(commit, summary["images"]):
        image["pixels_base64"] = base64.b64encode(x[i].numpy().tobytes()).decode()
        (args.out / "xrays" / Path(image["file"]).name).write_bytes(jpeg[image["file"]])
    text = {k: ",".join(map(str, v)) if isinstance(v, list) else str(v)
            for k, v in summary.items()
            if k in ("arch", "labels", "input", "mean", "std", "widths", "blocks", "bn_eps")}
    if args.layers.startswith("x-"):
        _, spatial, groups = args.layers.split("-")
        text |= {"xop_spatial": spatial, "xop_groups": groups[1:]}
    text |= {"stem_stride": "2", "pool": "none", "license": "CC BY 4.0 (training data)",
             "data": "Kermany, Zhang, Goldbaum, doi 10.17632/rscbjbr9sj"}
    (args.out / "chestnet.safetensors").write_bytes(save(weights, metadata=text))
    (args.out / "chestnet.reference.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
