#!/usr/bin/env python3
"""Take torchvision's classifiers through both ONNX exporters and through Blindray.

For every network and exporter: export, run the float network of `blindray-onnx`
(its example `run`) on one image and compare the outputs with ONNX Runtime's, and
make a model file with `blindray import`. Results are appended to OUT/results.jsonl,
one line for each trial, and summarised in OUT/table.md and OUT/fails.md.

The weights are random, from a seed for each network, and made to behave as
trained ones do: batch norms get their statistics in a few passes over images with
a natural spectrum; networks without batch norms get layers whose outputs have mean
0 and variance 1 over those images; and all of them logits that differ from image to image.

Build the two programs first:

    cargo build --release -p blindray
    cargo build --release -p blindray-onnx --example run
"""
import argparse
import json
import os
import re
import subprocess
import tempfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torchvision
from PIL import Image
from torch import nn

EXPORTERS = ["legacy", "dynamo"]
OPSET = 17  # of the legacy exporter; the other one has its own
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CALIBRATION = 12  # images for statistics and for import
TOLERANCE = 1e-4  # relative to the largest logit


def natural(rng, size):
    """An RGB image of bytes whose amplitudes fall as those of photographs do, about as 1/f: rougher and smoother
    ones, of any direction, contrast, light and colour."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    stretch = np.exp(rng.uniform(-1, 1))
    falloff = np.maximum(np.hypot(fy * stretch, fx / stretch), 1 / size) ** -rng.uniform(0.6, 2.0)
    planes = []
    grey = rng.standard_normal((size, size))
    for _ in range(3):
        noise = 0.8 * grey + 0.6 * rng.standard_normal((size, size))
        plane = np.fft.irfft2(np.fft.rfft2(noise) * falloff, s=(size, size))
        planes.append((plane - plane.mean()) / plane.std())
    contrast, light = rng.uniform(15, 80), rng.uniform(60, 190)
    colour = rng.uniform(-40, 40, 3)
    return np.clip(np.stack(planes, -1) * contrast + light + colour, 0, 255).astype(np.uint8)


def tensor(image):
    x = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def size_of(name):
    """The sides of the input: 224 but for the one network whose training needs more."""
    return 299 if name == "inception_v3" else 224


def whiten(module, _, output):
    """Changes a layer so that each of its channels has mean 0 and variance 1 for these inputs."""
    channel = 1 if isinstance(module, nn.Conv2d) else output.dim() - 1
    axes = [a for a in range(output.dim()) if a != channel]
    mean, std = output.mean(axes), output.std(axes) + 1e-12
    module.weight.data /= std.view(-1, *[1] * (module.weight.dim() - 1))
    if module.bias is None:
        return None
    module.bias.data = (module.bias.data - mean) / std
    shape = [-1 if a == channel else 1 for a in range(output.dim())]
    return (output - mean.view(shape)) / std.view(shape)


def last_norm(block):
    """The batch norm at the end of a residual branch, which training leaves small."""
    models = torchvision.models
    if isinstance(block, models.resnet.BasicBlock):
        return block.bn2
    if isinstance(block, models.resnet.Bottleneck):
        return block.bn3
    if isinstance(block, models.regnet.BottleneckTransform):
        return block[-1][1]
    if isinstance(block, (models.efficientnet.MBConv, models.efficientnet.FusedMBConv)):
        return block.block[-1][1] if block.use_res_connect else None
    return None


@torch.no_grad()
def settle(net, images):
    """Statistics, and a last layer, as training would leave them."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    scaled = norms or any(isinstance(m, nn.LayerNorm) for m in net.modules())
    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    if norms:
        for last in filter(None, map(last_norm, net.modules())):
            last.weight.data.fill_(0.3)
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all passes
        net.train()
        for m in net.modules():
            if isinstance(m, (nn.Dropout, torchvision.ops.StochasticDepth)):
                m.eval()
        for batch in images.split(4):
            net(batch)
    if scaled:
        layers = [m for m in layers if isinstance(m, nn.Linear)][-1:]
    net.eval()
    hooks = [layer.register_forward_hook(whiten) for layer in layers]
    net(images)
    for hook in hooks:
        hook.remove()
    if layers and isinstance(layers[-1], nn.Linear):
        for parameter in layers[-1].parameters():
            parameter.data *= 2


def build(name, images):
    torch.manual_seed(zlib.crc32(name.encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torchvision.models.get_model(name, weights=None)
    settle(net, images)
    return net.eval()


def export(net, exporter, x, file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "legacy":
            torch.onnx.export(net, (x,), str(file), dynamo=False, opset_version=OPSET)
        else:
            torch.onnx.export(net, (x,), str(file), dynamo=True, verbose=False)


def resident(pid):
    """The largest resident memory of a process so far, in KiB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def watched(command):
    """Runs a program: its exit code, output, errors, seconds, CPU seconds and peak MB."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        ended, peak = 0, 0
        while not ended:
            # Not the peak that the system accounts for, which begins with that of this process.
            peak = max(peak, resident(process.pid))
            time.sleep(0.02)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    seconds = time.time() - begin
    cpu = usage.ru_utime + usage.ru_stime
    return process.returncode, *texts, seconds, cpu, peak / 1024


def said(errors):
    lines = [l for l in errors.splitlines() if l.startswith(("blindray: ", "error: ", "Error: "))]
    return (lines or errors.splitlines() or ["nothing"])[-1]


class Built:
    """The network that was built last: both exporters take it."""

    name, net, images = None, None, None

    def of(self, name, files):
        if name != self.name:
            self.name, self.net = None, None
            images = torch.stack([tensor(np.asarray(Image.open(f))) for f in files])
            self.images = nn.functional.interpolate(images, size_of(name), mode="bilinear", antialias=True)
            self.name, self.net = name, build(name, self.images)
        return self.net, self.images


def trial(args, name, exporter, files, built):
    """One network through one exporter."""
    record = {"network": name, "exporter": exporter}
    folder = args.out / "onnx" / name
    file, image, reference = folder / f"{exporter}.onnx", folder / "image.f32", folder / f"{exporter}.json"
    if not file.exists():
        reference.unlink(missing_ok=True)  # of weights that are gone
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.time()
        try:
            net, images = built.of(name, files)
            export(net, exporter, images[:1], file)
        except Exception as error:  # whatever the exporter says
            return record | {"exporter_failed": f"{type(error).__name__}: {error}"[:500]}
        record["export_s"] = round(time.time() - begin, 1)
        images[0].numpy().tofile(image)
    x = np.fromfile(image, np.float32).reshape(1, 3, size_of(name), size_of(name))
    if not reference.exists():
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        outputs = session.run(None, {session.get_inputs()[0].name: x})
        reference.write_text(json.dumps([float(v) for v in outputs[0].ravel()]))
        del session
    expected = np.array(json.loads(reference.read_text()))
    record["megabytes"] = round(sum(f.stat().st_size for f in folder.glob(f"{exporter}.onnx*")) / 1e6)
    code, out, err, seconds, _, peak = watched([args.run, file, image])
    record |= {"read_s": round(seconds, 1), "read_mb": round(peak)}
    if code:
        record["refused"] = said(err)
    else:
        found = np.array(json.loads(out)["outputs"])
        same = found.shape == expected.shape
        record["difference"] = float(np.abs(found - expected).max() / np.abs(expected).max()) if same else None
        record["held"] = bool(same and record["difference"] <= TOLERANCE)
    if not code and "import" in args.steps:
        model = args.out / "model.bray"
        command = [args.blindray, "import", "--json", "--onnx", file, "--out", model]
        command += ["--calibrate", args.out / "images", "--images", str(args.images)]
        command += ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD))]
        command += ["--weight-bits", str(args.weight_bits), *args.more]
        code, out, err, seconds, cpu, peak = watched(list(map(str, command)))
        record |= {"import_s": round(seconds, 1), "import_cpu_s": round(cpu, 1), "import_mb": round(peak)}
        if code:
            record |= {"not_imported": said(err), "import_code": code}
        else:
            report = json.loads(out)
            record["logit_difference"] = report["max_logit_difference"]
            record["faults"] = len(report["faults"])  # accepted ones
            record["model_mb"] = round(model.stat().st_size / 1e6, 1)
        for left in args.out.glob("model.*"):
            left.unlink()
    if record["megabytes"] > args.keep:
        for left in folder.glob(f"{exporter}.onnx*"):
            left.unlink()
    return record


def latest(file):
    """The last trial of each network and exporter."""
    trials = {}
    if file.exists():
        for line in file.read_text().splitlines():
            record = json.loads(line)
            trials[record["network"], record["exporter"]] = record
    return trials


def outcome(record):
    if "exporter_failed" in record:
        return "not exported"
    if "refused" in record:
        return "refused"
    if not record["held"]:
        return "WRONG"
    if "not_imported" in record:
        return "read, not imported"
    return "imported" if "import_s" in record else "read"


def summarise(out):
    trials = latest(out / "results.jsonl")
    names = list(dict.fromkeys(name for name, _ in trials))
    table = ["| network | legacy | dynamo | largest difference | import: CPU s | MB |", "|---|---|---|--:|--:|--:|"]
    fails = []
    for name in names:
        records = [trials.get((name, e)) for e in EXPORTERS]
        cells = [outcome(r) if r else "" for r in records]
        there = [r for r in records if r]
        most = lambda key: max((r[key] for r in there if r.get(key) is not None), default=None)
        show = lambda value, form: "" if value is None else form.format(value)
        table.append(
            f"| {name} | {cells[0]} | {cells[1]} | {show(most('difference'), '{:.1e}')} "
            f"| {show(most('import_cpu_s'), '{:.0f}')} | {show(most('import_mb'), '{:.0f}')} |"
        )
        for record, cell in zip(records, cells):
            if record and cell not in ("imported", "read"):
                cause = record.get("exporter_failed") or record.get("refused") or record.get("not_imported") or record.get("difference")
                fails.append(f"- {name}, {record['exporter']}, {cell}: {cause}")
    table += ["", f"{len(names)} networks."]
    for exporter in EXPORTERS:
        cells = [outcome(record) for (_, e), record in trials.items() if e == exporter]
        table.append(f"{exporter}: " + ", ".join(f"{cells.count(c)} {c}" for c in sorted(set(cells))) + ".")
    text = "\n".join(table) + "\n"
    (out / "table.md").write_text(text)
    (out / "fails.md").write_text("\n".join(fails) + "\n")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("matrix"), help="folder of files and results")
    parser.add_argument("--only", default="", help="networks whose name matches this expression")
    parser.add_argument("--exporters", nargs="+", default=EXPORTERS, choices=EXPORTERS)
    parser.add_argument("--steps", nargs="+", default=["read", "import"], choices=["read", "import"])
    parser.add_argument("--again", action="store_true", help="repeat trials that are in the results")
    parser.add_argument("--failed", action="store_true", help="repeat those that did not come to their end")
    parser.add_argument("--images", type=int, default=2, help="calibration images of an import")
    parser.add_argument("--weight-bits", default="10")
    parser.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="further options of import, last")
    parser.add_argument("--keep", type=float, default=120, help="keep ONNX files of up to so many MB")
    parser.add_argument("--most", type=float, default=1e9, help="skip networks of more parameters")
    parser.add_argument("--run", default="target/release/examples/run")
    parser.add_argument("--blindray", default="target/release/blindray")
    args = parser.parse_args()
    images = args.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(13)
    files = [images / f"{i:02}.png" for i in range(CALIBRATION)]
    for file in files:
        picture = natural(rng, 320)
        if not file.exists():
            Image.fromarray(picture).save(file)
    results, built = args.out / "results.jsonl", Built()
    models = torchvision.models
    networks = models.list_models(module=models)
    parameters = {n: models.get_model_weights(n).DEFAULT.meta["num_params"] for n in networks}
    for name in sorted(networks, key=parameters.get):
        if not re.search(args.only, name) or parameters[name] > args.most:
            continue
        for exporter in args.exporters:
            before = latest(results).get((name, exporter))
            done = before and ("import_s" in before or "import" not in args.steps)
            came = before and outcome(before) in ("imported", "read")
            if done and not args.again and (came or not args.failed) or before and not done and not came and not args.again and not args.failed:
                continue
            record = trial(args, name, exporter, files, built)
            with results.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(name, exporter, outcome(record), record.get("difference"), record.get("refused") or record.get("not_imported") or "", flush=True)
            summarise(args.out)
    print(summarise(args.out))


if __name__ == "__main__":
    main()
