#!/usr/bin/env python3
"""Make the small networks of tests/data/small: one for each operator, as PyTorch exports it.

Each is written by both exporters of PyTorch, NAME.legacy.onnx and NAME.dynamo.onnx.
`reference.json` has for each file the logits of its first images, as PyTorch
computes them in doubles, and the head after them; the file was compared with
that by ONNX Runtime. `images.u8` has the images, bytes of 3 x 12 x 12.

Weights are random, from a seed for each name, and scaled as in matrix.py. Two runs
with the same versions give the same files.
"""
import argparse
import io
import json
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import torch
import torch.nn.functional as F
from matrix import natural, settle
from torch import nn

SIDE, IMAGES, SHOWN = 12, 16, 2
OPSET = 17
EXPORTERS = ["legacy", "dynamo"]
TOLERANCE = 2e-5
# Networks whose files round, and whose reference is therefore what ONNX Runtime makes of the file.
LOOSE = {"half": 5e-3, "quantised": 0.1}


class Calls(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Two(nn.Module):
    """Two convolutions of one input, and what joins them."""

    def __init__(self, function, channels=8, second=8):
        super().__init__()
        self.left = nn.Conv2d(8, channels, 1)
        self.right = nn.Conv2d(8, second, 3, padding=1)
        self.function = function

    def forward(self, x):
        return self.function(self.left(x), self.right(x))


class Gate(nn.Module):
    """Squeeze and excite, with this function at its end."""

    def __init__(self, function):
        super().__init__()
        self.down, self.up = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.function = function

    def forward(self, x):
        return x * self.function(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Positions(nn.Module):
    """Spatial attention: a map for each position, from the mean and the largest of the channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        most, mean = x.amax(1, keepdim=True), x.mean(1, keepdim=True)
        return x * torch.sigmoid(self.conv(torch.cat([most, mean], 1)))


class Outputs(nn.Module):
    """Two heads on one trunk."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x):
        return self.a(x), self.b(x)


def net(middle, channels=8, last=None, side=None):
    """A convolution, what is tried, the mean, and four outputs; or with `side` a layer of all positions."""
    stem = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)]
    ends = [nn.Flatten()] if side else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    ends.append(last or nn.Linear(channels * (side * side if side else 1), 4))
    return nn.Sequential(*stem, middle, *ends)


def call(function, channels=8, side=None):
    return lambda: net(Calls(function), channels, side=side)


def focus(x):
    return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)


def shuffle(x):
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def nhwc(inner):
    return nn.Sequential(Calls(lambda x: x.permute(0, 3, 1, 2)), inner)


def plain(*ends, **options):
    return nn.Sequential(net(nn.ReLU(), **options), *ends)


def layers(*modules, channels=8, side=None):
    return lambda: net(nn.Sequential(*[m() for m in modules]), channels, side=side)


NETWORKS = {
    "nothing": layers(nn.Identity),
    # Functions of one value.
    "relu": layers(nn.ReLU),
    "relu6": layers(nn.ReLU6),
    "leaky_relu": layers(nn.LeakyReLU),
    "prelu": layers(lambda: nn.PReLU(8)),
    "hardswish": layers(nn.Hardswish),
    "hardsigmoid": layers(nn.Hardsigmoid),
    "hardtanh": layers(nn.Hardtanh),
    "clip": call(lambda x: torch.clamp(x, -0.5, 1.75)),
    "clip_above": call(lambda x: torch.clamp(x, max=0.75)),
    "clip_below": call(lambda x: torch.clamp(x, min=-0.25)),
    "sigmoid": layers(nn.Sigmoid),
    "silu": layers(nn.SiLU),
    "tanh": layers(nn.Tanh),
    "elu": layers(nn.ELU),
    "celu": layers(lambda: nn.CELU(0.5)),
    "selu": layers(nn.SELU),
    "gelu": layers(nn.GELU),
    "gelu_tanh": layers(lambda: nn.GELU("tanh")),
    "softplus": layers(nn.Softplus),
    "softsign": layers(nn.Softsign),
    "mish": layers(nn.Mish),
    "neg": call(lambda x: F.relu(-x)),
    "abs": call(torch.abs),
    "square": call(lambda x: x * x),
    "constants": call(lambda x: (x * 1.5 + 0.25) / 2 - 1),
    "reversed": call(lambda x: 1 - F.relu(x)),
    # Two features.
    "add": lambda: net(Two(lambda a, b: F.relu(a + b))),
    "sub": lambda: net(Two(lambda a, b: F.relu(a - b))),
    "mul": lambda: net(Two(lambda a, b: a * b)),
    "max": lambda: net(Two(torch.maximum)),
    "min": lambda: net(Two(torch.minimum)),
    "concat": lambda: net(Two(lambda a, b: torch.cat([a, F.relu(b)], 1)), 16),
    "gate_sigmoid": lambda: net(Gate(torch.sigmoid)),
    "gate_hardsigmoid": lambda: net(Gate(F.hardsigmoid)),
    "gate_tanh": lambda: net(Gate(torch.tanh)),
    "gate_positions": lambda: net(Positions()),
    "swiglu": lambda: net(Two(lambda a, b: a * torch.sigmoid(b))),
    # Reductions.
    "max_channels": call(lambda x: x.amax(1, keepdim=True), 1, side=SIDE),
    "sum_channels": call(lambda x: x.sum(1, keepdim=True), 1, side=SIDE),
    "mean_channels": call(lambda x: x.mean(1, keepdim=True), 1, side=SIDE),
    "max_positions": call(lambda x: x.amax((2, 3), keepdim=True)),
    "sum_positions": call(lambda x: x.sum((2, 3), keepdim=True) / 8),
    "mean_rows": call(lambda x: x.mean(2, keepdim=True)),
    "max_rows": call(lambda x: x.amax(2, keepdim=True)),
    # Pools.
    "max_pool": layers(lambda: nn.MaxPool2d(3, 2, 1)),
    "max_pool_ceil": layers(lambda: nn.MaxPool2d(3, 2, ceil_mode=True)),
    "avg_pool": layers(lambda: nn.AvgPool2d(3, 2, 1)),
    "avg_pool_inside": layers(lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
    "adaptive_pool": layers(lambda: nn.AdaptiveAvgPool2d(3), side=3),
    # What moves values.
    "crop": call(lambda x: x[..., 1:-2, 2:9]),
    "crop_steps": call(lambda x: x[..., ::2, 1::3]),
    "flip": call(lambda x: x.flip(3)[..., :7], 8),
    "focus": call(focus, 32),
    "channel_slice": call(lambda x: x[:, 2:6], 4),
    "channel_shuffle": lambda: net(nn.Sequential(Calls(shuffle), nn.Conv2d(8, 8, 3, groups=4))),
    "channel_gather": call(lambda x: x[:, [5, 0, 3, 3]], 4),
    "split": call(lambda x: torch.cat([F.relu(x.chunk(2, 1)[0]), x.chunk(2, 1)[1]], 1)),
    "pixel_shuffle": layers(lambda: nn.PixelShuffle(2), channels=2),
    "pixel_unshuffle": layers(lambda: nn.PixelUnshuffle(2), channels=32),
    "pad_kernel": layers(lambda: nn.Conv2d(8, 8, 1, padding=1)),
    "pad_far": layers(lambda: nn.Conv2d(8, 8, 3, padding=4, stride=2)),
    "pad_zero": layers(lambda: nn.ZeroPad2d((1, 0, 2, 1)), lambda: nn.Conv2d(8, 8, 3)),
    "pad_constant": layers(lambda: nn.ConstantPad2d(1, 0.75), lambda: nn.Conv2d(8, 8, 3)),
    "pad_reflect": layers(lambda: nn.ReflectionPad2d(2), lambda: nn.Conv2d(8, 8, 3)),
    "pad_edge": layers(lambda: nn.ReplicationPad2d(1), lambda: nn.Conv2d(8, 8, 3)),
    "pad_same": layers(lambda: nn.Conv2d(8, 8, 4, padding="same")),
    "resize": layers(lambda: nn.Upsample(scale_factor=2), nn.ReLU, lambda: nn.Conv2d(8, 8, 3)),
    "resize_to": call(lambda x: F.interpolate(x, (18, 15))),
    "conv_transpose": layers(lambda: nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), channels=4),
    "conv_transpose_groups": layers(lambda: nn.ConvTranspose2d(8, 4, 2, 2, groups=2), nn.ReLU, channels=4),
    # Linear layers.
    "dilation": layers(lambda: nn.Conv2d(8, 8, 3, padding=2, dilation=2)),
    "dilation_depthwise": layers(lambda: nn.Conv2d(8, 8, 3, dilation=3, groups=8)),
    "groups": layers(lambda: nn.Conv2d(8, 8, 3, groups=2, stride=2)),
    "depthwise": layers(lambda: nn.Conv2d(8, 8, 3, groups=8)),
    "asymmetric": layers(lambda: nn.Conv2d(8, 8, (1, 5), padding=(0, 2)), lambda: nn.Conv2d(8, 8, (3, 1))),
    "linear": layers(nn.ReLU, lambda: nn.Conv2d(8, 2, 1), channels=2, side=SIDE),
    "two_linear": lambda: net(nn.ReLU(), last=nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4))),
    # Norms.
    "norm_first": lambda: nn.Sequential(nn.BatchNorm2d(3), plain()),
    "norm_after_add": lambda: net(nn.Sequential(Two(lambda a, b: F.relu(a + b)), nn.BatchNorm2d(8))),
    "norm_before_relu": layers(nn.ReLU, lambda: nn.BatchNorm2d(8), nn.ReLU),
    "norm_vector": lambda: net(nn.ReLU(), last=nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 4))),
    "norm_group": layers(lambda: nn.GroupNorm(2, 8), nn.ReLU),
    "norm_instance": layers(lambda: nn.InstanceNorm2d(8, affine=True), nn.ReLU),
    # Layouts and ends.
    "input_nhwc": lambda: nhwc(plain()),
    "input_scaled": lambda: nn.Sequential(Calls(lambda x: (x * 0.25 + 0.5 - 0.4) / 0.3), plain()),
    "flatten_nhwc": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, 2), nn.ReLU(), Calls(lambda x: x.permute(0, 2, 3, 1)), nn.Flatten(), nn.Linear(100, 4)
    ),
    "channels_last": lambda: plain().to(memory_format=torch.channels_last),
    "softmax": lambda: plain(nn.Softmax(1)),
    "log_softmax": lambda: plain(nn.LogSoftmax(1)),
    "sigmoid_end": lambda: plain(nn.Sigmoid()),
    "identity_end": lambda: plain(nn.Identity(), Calls(lambda x: x.reshape(-1, 4))),
    "view": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), Calls(lambda x: x.mean(3).mean(2).view(x.size(0), -1)), nn.Linear(8, 4)
    ),
    "outputs": lambda: net(nn.ReLU(), last=Outputs()),
    "batch": layers(nn.ReLU, lambda: nn.MaxPool2d(3), side=4),
    "batch_any": lambda: plain(),
    "half": lambda: plain().half(),
    "double": lambda: plain().double(),
    "opset": lambda: plain(),
    "quantised": lambda: plain(),
}
HEADS = {"softmax": "softmax", "log_softmax": "softmax", "sigmoid_end": "sigmoid"}
BATCH = {"batch": 4}
# The oldest and the newest opset.
OPSETS = {("opset", "legacy"): 7, ("opset", "dynamo"): 24}


def without_notes(model):
    """The same without what exporters note about the machine: traces of calls, with paths."""
    nodes = list(model.graph.node)
    for function in model.functions:
        nodes += function.node
    for part in [model, model.graph, *nodes, *model.graph.value_info, *model.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    for value in [*model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    return model


def export(name, exporter, module, x, folder):
    file = folder / f"{name}.{exporter}.onnx"
    options = {"input_names": ["image"]}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as scratch:
        warnings.simplefilter("ignore")
        draft = Path(scratch) / "net.onnx"
        if exporter == "legacy":
            opset = OPSETS.get((name, exporter), OPSET)
            if name == "batch_any":
                options["dynamic_axes"] = {"image": {0: "n"}}
            torch.onnx.export(module, (x,), str(draft), dynamo=False, opset_version=opset, **options)
        else:
            options["opset_version"] = OPSETS.get((name, exporter))
            if name == "batch_any":
                options["dynamic_shapes"] = ({0: torch.export.Dim("n")},)
                x = torch.cat([x, x])
            torch.onnx.export(module, (x,), str(draft), dynamo=True, verbose=False, external_data=False, **options)
        if name == "quantised":
            quantise(draft)
        onnx.save(without_notes(onnx.load(draft)), file)
    return file


def quantise(file):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [{"image": x[None].numpy()} for x in INPUTS]

        def get_next(self):
            return self.left.pop() if self.left else None

    quantize_static(str(file), str(file), Reader(), quant_format=QuantFormat.QDQ)


def inputs():
    rng = np.random.default_rng(13)
    images = np.stack([natural(rng, 48)[18:30, 18:30].transpose(2, 0, 1) for _ in range(IMAGES)])
    # As Blindray computes them: where a grid puts pixels exactly between two integers, the last bit decides.
    return images, torch.from_numpy(((images / 255 - 0.5) / 0.25).astype(np.float32))


def run(file, x, batch):
    """The outputs of a file for the first images."""
    if x.dtype == np.float64:  # ONNX Runtime has no convolution of doubles
        session = onnx.reference.ReferenceEvaluator(str(file))
        name = session.input_names[0]
    else:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
    outputs = [joined(session.run(None, {name: x[i : i + batch]})) for i in range(0, len(x), batch)]
    return np.concatenate(outputs)[:SHOWN]


PIXELS, INPUTS = inputs()


def joined(outputs):
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return np.concatenate([np.asarray(o, np.float64).reshape(len(o), -1) for o in outputs], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("tests/data/small"))
    parser.add_argument("--only", nargs="*", default=list(NETWORKS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "images.u8").write_bytes(PIXELS.tobytes())
    file = args.out / "reference.json"
    references = json.loads(file.read_text()) if file.exists() else {}
    for name in args.only:
        torch.manual_seed(zlib.crc32(name.encode()))
        module = NETWORKS[name]()
        kind = next(module.parameters()).dtype
        x = INPUTS.permute(0, 2, 3, 1) if name == "input_nhwc" else INPUTS
        # In the kind of numbers that the weights have: those that are halves stay halves.
        settle(module.float(), x)
        module = module.to(kind).eval()
        logits = module
        if name in HEADS:
            logits = module[0]
        with torch.no_grad():
            expected = joined(logits.double()(x[:SHOWN].double()))
            with_head = joined(module.double()(x[:SHOWN].double()))
        module = module.to(kind)
        for exporter in EXPORTERS:
            path = args.out / f"{name}.{exporter}.onnx"
            path.unlink(missing_ok=True)
            try:
                export(name, exporter, module, x[: BATCH.get(name, 1)].to(kind), args.out)
            except Exception as error:  # whatever the exporter says
                print(f"{name} {exporter}: not exported: {type(error).__name__}: {str(error)[:300]}")
                path.unlink(missing_ok=True)
                continue
            batch = BATCH.get(name, 1)
            found = run(path, x[: max(batch, SHOWN)].to(kind).numpy(), batch)
            distance = np.abs(found - with_head).max() / np.abs(with_head).max()
            print(f"{name} {exporter}: {distance:.1e} {path.stat().st_size} bytes", flush=True)
            assert distance < LOOSE.get(name, TOLERANCE), "the files are not the network"
            reference = {"head": HEADS.get(name), "logits": (found if name in LOOSE else expected).tolist()}
            references[path.stem] = reference
        names = [f"{n}.{e}" for n in NETWORKS for e in EXPORTERS]
        order = {n: references[n] for n in names if n in references}
        file.write_text(json.dumps(order, indent=0) + "\n")


if __name__ == "__main__":
    main()
