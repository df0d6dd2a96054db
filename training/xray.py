#!/usr/bin/env python3
"""Train DenseNet-121 and its X-operator forms to tell NORMAL from PNEUMONIA.

On the paediatric chest X-rays of Kermany, Zhang and Goldbaum (doi
10.17632/rscbjbr9sj, CC BY 4.0), at 224x224, from random weights. First the network
with its 3x3 convolutions; then, for r = 1/2 and 1, the one with an X-operator in
the place of each (the stem stays), which also learns the logits of the first.

Each network has a part of --seconds, by the clock, so that all of it ends in time on
whatever device there is; --steps counts steps instead. All 5,216 images of train.tar are
trained on, and the 624 of test.tar are read once, at the end; nothing is chosen
by them. --validate holds out 12 % of the patients of train.tar and reports on those.

Writes NAME.onnx for each network and xray.json to --out.
"""
import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from chestnet import augment_geometry, augment_intensity, load, metrics, patient
from layers import conv
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.models import densenet121

# What part of the time each has; the first teaches the others.
NETWORKS = {"conv": 0.4, "x-1/2-g1": 0.3, "x-1-g1": 0.3}
WARM_UP, TEMPERATURE = 0.15, 2.0


def network(variant):
    """torchvision's DenseNet-121 for one grey channel and two classes, with other 3x3 layers."""
    model = densenet121(weights=None, num_classes=2)
    model.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    for block in model.features:
        for layer in block.values() if isinstance(block, nn.ModuleDict) else []:
            old = layer.conv2
            layer.conv2 = conv(variant, old.in_channels, old.out_channels)
    return model


@torch.no_grad()
def predict(model, x, args):
    """Logits of normalised images, in float32."""
    model.eval()
    return torch.cat([model(b.to(args.device)).cpu() for b in x.split(64)])


def progress(args, seconds):
    """For each step, what part of the training is done."""
    start = time.monotonic()
    step = 0
    while True:
        done = step / args.steps if args.steps else (time.monotonic() - start) / seconds
        if done >= 1:
            return
        yield done
        step += 1


def rate(done):
    """The part of the highest learning rate at this part of the training."""
    if done < WARM_UP:
        return 0.04 + 0.96 * done / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))


def train(model, teacher, x, y, norm, args, seconds):
    """SGD with Nesterov momentum on class-balanced batches; the average of late weights."""
    g = torch.Generator(args.device).manual_seed(args.seed)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.ema), use_buffers=True)
    opt = torch.optim.SGD(model.parameters(), args.lr, 0.9, weight_decay=args.weight_decay,
                          nesterov=True)
    weight = 1.0 / torch.bincount(y).double()[y]
    mean, std = norm
    model.train()
    steps = 0
    for done in progress(args, seconds):
        opt.param_groups[0]["lr"] = args.lr * rate(done)
        idx = torch.multinomial(weight, args.batch, True, generator=g)
        xb = augment_geometry(augment_intensity(x[idx] / 255.0, g), g)
        xb = ((xb - mean) / std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(args.device).type, torch.bfloat16):
            out = model(xb).float()
            with torch.no_grad():
                taught = teacher(xb).float() if teacher else None
        loss = F.cross_entropy(out, y[idx], label_smoothing=args.smoothing)
        if teacher:
            soft = F.kl_div(F.log_softmax(out / TEMPERATURE, 1),
                            F.log_softmax(taught / TEMPERATURE, 1),
                            reduction="batchmean", log_target=True)
            loss = (1 - args.distil) * loss + args.distil * TEMPERATURE ** 2 * soft
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        ema.update_parameters(model)
        steps += 1
    return ema.module.eval(), steps


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", type=Path, default=Path("../shared/models/images/kermany_224"))
    p.add_argument("--out", type=Path, default=Path("xray"))
    p.add_argument("--validate", action="store_true", help="leave the test set unread")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help=" ")
    p.add_argument("--steps", type=int, default=0,
                   help="of each network, however long they take; 0 for --seconds")
    for name, value in {"seconds": 420.0, "size": 224, "batch": 64, "lr": 0.1,
                        "weight-decay": 5e-4, "smoothing": 0.1, "ema": 0.998, "distil": 0.7,
                        "seed": 1}.items():
        p.add_argument(f"--{name}", type=type(value), default=value, help=" ")
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    rows, x, y, _ = load(args.data, "train", args.size)
    if args.validate:
        people = sorted({patient(r) for r in rows})
        np.random.default_rng(args.seed).shuffle(people)
        held = set(people[:round(0.12 * len(people))])
        val = torch.tensor([patient(r) in held for r in rows])
        x, y, xt, yt = x[~val], y[~val], x[val], y[val]
    else:
        _, xt, yt, _ = load(args.data, "test", args.size)
    mean, std = [round((f(x / 255.0)).item(), 4) for f in (torch.mean, torch.std)]
    xt = (xt / 255.0 - mean) / std
    x, y = x.to(args.device), y.to(args.device)

    lines, teacher = [], None
    for variant, part in NETWORKS.items():
        torch.manual_seed(args.seed)
        start = time.monotonic()
        model = network(variant).to(args.device, memory_format=torch.channels_last)
        model, steps = train(model, teacher, x, y, (mean, std), args, part * args.seconds)
        teacher = teacher or model
        name = "densenet121" + ("" if variant == "conv" else "-" + variant.replace("/", "_"))
        line = {"network": name, "steps": steps, "seconds": round(time.monotonic() - start, 1),
                "parameters": sum(v.numel() for v in model.parameters()),
                **metrics(predict(model, xt, args), yt)}
        print(json.dumps(line), flush=True)
        lines.append(line)
        plain = network(variant)
        plain.load_state_dict(model.state_dict())
        torch.onnx.export(plain.eval(), torch.zeros(1, 1, args.size, args.size),
                          args.out / f"{name}.onnx", opset_version=17, dynamo=False)
    summary = {"labels": ["NORMAL", "PNEUMONIA"], "mean": mean, "std": std,
               "set": "validation" if args.validate else "test", "networks": lines,
               "training": {k: v for k, v in vars(args).items() if k not in ("data", "out")}}
    (args.out / "xray.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
