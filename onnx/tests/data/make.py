"""Makes the networks of this folder: what PyTorch's two exporters write for small networks, an input of each, and the
outputs that ONNX Runtime computes. Where the network ends in a softmax or sigmoid, the outputs are the logits before it.

    python make.py [FOLDER [NAME ...]]

needs torch, onnx, onnxscript and onnxruntime. `NAME.onnx` is the network, `NAME.in` an input (little-endian 32-bit floats:
channels, rows, columns), `NAME.out` the outputs, one after the other. The old exporter's files end in `-old`, the new one's
in `-new`, files with functions in `-functions`: `modules` is of the old exporter, each kind of module a function, and
`helper` is made by hand. The test `exporters` compares all of them. Without names, those that are
committed are made; `all` makes every network with both exporters.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import helper
from torch import nn

warnings.filterwarnings("ignore")


class By(nn.Module):
    """A function of an input and of layers."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        return self.function(x, *self.layers)


def conv(inputs=3, outputs=6, kernel=3, **options):
    return nn.Conv2d(inputs, outputs, kernel, **{"padding": kernel // 2, **options})


def head(channels=6):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5))


def acted(activation):
    return lambda: nn.Sequential(conv(), activation, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 16, 5))


def on(function, *layers):
    """A function of what a convolution gives, then the head."""
    return lambda: By(lambda x, c, h, *more: h(function(c(x), *more)), conv(), head(), *layers)


def gelu_tanh(y):
    return 0.5 * y * (1 + torch.tanh((2 / np.pi) ** 0.5 * (y + 0.044715 * y**3)))


def cbam(y, mix):
    both = torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1)
    return y * torch.sigmoid(mix(both))


def focus(x, c, h):
    parts = [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]]
    return h(F.relu(c(torch.cat(parts, 1))))


def mixer(x, patches, tokens, channels, last):
    y = patches(x).flatten(2).transpose(1, 2)
    y = y + tokens(y.transpose(1, 2)).transpose(1, 2)
    return last(F.gelu(channels(y)).mean(1))


def two_outputs(x, c, first, second):
    y = F.relu(c(x))
    return first(y), torch.sigmoid(second(y))


NETWORKS = {
    "abs": on(torch.abs),
    "bn": lambda: nn.Sequential(nn.BatchNorm2d(3), conv(), nn.BatchNorm2d(6), nn.ReLU(), head()),
    "cbam": on(cbam, conv(2, 1, 7)),
    "celu": acted(nn.CELU(0.7)),
    "ceil-pools": lambda: nn.Sequential(
        conv(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), head()
    ),
    "chunk": lambda: By(
        lambda x, c, h: h((lambda p, q: p * torch.sigmoid(q))(*c(x).chunk(2, 1))), conv(), head(3)
    ),
    "clamp": on(lambda y: torch.clamp(y, -0.3, 0.6)),
    "conv-transpose": lambda: nn.Sequential(
        conv(), nn.ReLU(), nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, groups=2), head(4)
    ),
    "crop-flip": on(lambda y: F.relu(y[:, :, 1:-2, 1:6].flip(3))),
    "dilation": lambda: nn.Sequential(conv(), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=2, dilation=2), head()),
    "elu": acted(nn.ELU()),
    "focus": lambda: By(focus, conv(12), head()),
    "gather": lambda: By(lambda x, c, h: h(c(x)[:, torch.tensor([5, 0, 3, 3])]), conv(), head(4)),
    "gelu": acted(nn.GELU()),
    "gelu-tanh": on(gelu_tanh),
    "hardswish": acted(nn.Hardswish()),
    "layer-scale": on(lambda y: y + y * torch.linspace(0.1, 0.6, 6).view(6, 1, 1)),
    "leaky": acted(nn.LeakyReLU(0.1)),
    "log-softmax": lambda: nn.Sequential(conv(), nn.ReLU(), head(), nn.LogSoftmax(1)),
    "max-min": lambda: By(
        lambda x, a, b, h: h(torch.maximum(a(x), b(x)) - torch.minimum(a(x), b(x))), conv(), conv(), head()
    ),
    "max-position": on(lambda y: y * y.amax((2, 3), keepdim=True)),
    "mish": acted(nn.Mish()),
    "mixer": lambda: By(mixer, nn.Conv2d(3, 6, 4, 4), nn.Linear(4, 4), nn.Linear(6, 6), nn.Linear(6, 5)),
    "nhwc-flat": lambda: By(
        lambda x, c, last: last(F.relu(c(x)).permute(0, 2, 3, 1).flatten(1)),
        conv(stride=2),
        nn.Linear(6 * 16, 5),
    ),
    "pad-constant": lambda: By(lambda x, c, h: h(F.relu(c(F.pad(x, (1, 2, 0, 1), value=0.7)))), nn.Conv2d(3, 6, 3), head()),
    "pad-reflect": lambda: nn.Sequential(conv(padding_mode="reflect"), nn.ReLU(), head()),
    "pad-wide": lambda: nn.Sequential(nn.Conv2d(3, 6, 1, padding=1), nn.ReLU(), head()),
    "pixel-shuffle": lambda: nn.Sequential(conv(3, 8), nn.PixelShuffle(2), conv(2, 4), head(4)),
    "position-map": on(lambda y: F.relu(y + torch.linspace(-1, 1, 64).view(1, 1, 8, 8))),
    "prelu": acted(nn.PReLU(6)),
    "product": lambda: By(lambda x, a, b, h: h(a(x) * b(x)), conv(), conv(), head()),
    "quick-gelu": on(lambda y: y * torch.sigmoid(1.702 * y)),
    "row-linear": lambda: By(
        lambda x, c, last, h: h(F.relu(last(c(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)), conv(), nn.Linear(6, 4), head(4)
    ),
    "selu": acted(nn.SELU()),
    "shuffle": on(lambda y: F.relu(y.view(1, 2, 3, 8, 8).transpose(1, 2).reshape(1, 6, 8, 8))),
    "sigmoid-gate": on(lambda y, gate: y * torch.sigmoid(gate(y.mean((2, 3)))).view(1, 6, 1, 1), nn.Linear(6, 6)),
    "silu": acted(nn.SiLU()),
    "softplus": acted(nn.Softplus()),
    "square": on(torch.square),
    "sub": lambda: By(lambda x, a, b, h: h(F.relu(a(x) - b(x))), conv(), conv(), head()),
    "sum-position": on(lambda y: F.relu(y).sum((2, 3), keepdim=True) * 0.01 + y),
    "tanh": acted(nn.Tanh()),
    "two-outputs": lambda: By(two_outputs, conv(), head(), head()),
    "upsample": lambda: nn.Sequential(conv(), nn.Upsample(scale_factor=2), nn.Upsample(size=(11, 13)), conv(6, 4), head(4)),
    "where": on(lambda y: torch.where(y > 0, y, y * 0.1)),
}

class Residual(nn.Module):
    def __init__(self, channels, activation):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), nn.BatchNorm2d(channels), activation, conv(channels, channels, 1))

    def forward(self, x):
        return F.relu(x + self.body(x))


def modules():
    return nn.Sequential(
        conv(), nn.LeakyReLU(0.2), Residual(6, nn.SiLU()), nn.MaxPool2d(2), Residual(6, nn.Hardswish()), head()
    )


def referring(node, **attributes):
    """A node whose attributes are those of the function around it: name, type, name in the function."""
    for name, (kind, of) in attributes.items():
        attribute = node.attribute.add(name=name, type=kind)
        attribute.ref_attr_name = of
    return node


def called(name, inputs, outputs, overload="", **attributes):
    node = helper.make_node(name, inputs, outputs, domain="by.hand", **attributes)
    node.overload = overload
    return node


def by_hand():
    """A network with attributes handed on and left out, inputs left out, overloads, an If within a function, and names
    that functions and the graph share."""
    node, kinds = helper.make_node, onnx.AttributeProto

    def function(name, inputs, outputs, nodes, overload="", opset=18, **more):
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("by.hand", 1)]
        made = helper.make_function("by.hand", name, inputs, outputs, nodes, opsets, **more)
        made.overload = overload
        return made

    convolution = node("Conv", ["x", "w", "b"], ["t"])
    referring(convolution, pads=(kinds.INTS, "padding"), strides=(kinds.INTS, "strides"), group=(kinds.INT, "groups"))
    rectifier = referring(node("LeakyRelu", ["t"], ["y"]), alpha=(kinds.FLOAT, "slope"))
    layer = function(
        "Layer",
        ["x", "w", "b"],
        ["y", "t"],
        [convolution, rectifier],
        attributes=["padding", "strides", "slope"],
        attribute_protos=[helper.make_attribute("groups", 1)],
    )
    clipped = function("Bound", ["x", "low", "high"], ["y"], [node("Clip", ["x", "low", "high"], ["y"])])
    doubled = function("Act", ["x"], ["y"], [node("Add", ["x", "x"], ["y"])])
    squashed = function("Act", ["x"], ["y"], [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], "squash")
    then = helper.make_graph([called("Act", ["x"], ["z"], "squash")], "then", [], [helper.make_tensor_value_info("z", 1, None)])
    other = helper.make_graph([called("Act", ["x"], ["z"])], "else", [], [helper.make_tensor_value_info("z", 1, None)])
    which = node("Constant", [], ["flag"])
    referring(which, value_int=(kinds.INT, "squash"))
    choice = function(
        "Either",
        ["x"],
        ["y"],
        [which, node("Cast", ["flag"], ["c"], to=9), node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        attributes=["squash"],
    )
    graph = [
        called("Layer", ["x", "w1", "b1"], ["t", "raw"], padding=[1, 1, 1, 1], slope=0.25),
        called("Either", ["t"], ["low"], squash=1),
        called("Layer", ["low", "w2"], ["z", ""], strides=[2, 2], groups=2),
        called("Either", ["z"], ["s"], squash=0),
        called("Bound", ["s", "", "high"], ["u"]),
        node("Add", ["u", "s"], ["a"]),
        node("GlobalAveragePool", ["a"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    rng = np.random.default_rng(7)
    weights = {"w1": (6, 3, 3, 3), "b1": (6,), "w2": (6, 3, 2, 2)}
    tensors = [
        onnx.numpy_helper.from_array((rng.standard_normal(shape) * 0.5).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    tensors.append(onnx.numpy_helper.from_array(np.array(0.8, np.float32), "high"))
    inputs = [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", 1, [1, 6])]
    return helper.make_model(
        helper.make_graph(graph, "by hand", inputs, outputs, tensors),
        functions=[choice, layer, clipped, doubled, squashed],
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("by.hand", 1)],
        ir_version=10,
    )


# What stands before the softmax or sigmoid at the end.
LOGITS = {
    "log-softmax": lambda network, x: [network[:-1](x)],
    "two-outputs": lambda network, x: [
        layer(F.relu(network.layers[0](x))) for layer in network.layers[1:]
    ],
}


def without_notes(model):
    """The same without what the exporter notes about the machine: traces of calls, with paths."""
    nodes = list(model.graph.node)
    for function in model.functions:
        nodes += function.node
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    for part in [model, model.graph, *nodes, *values, *model.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def make(folder, name, exporter):
    torch.manual_seed(len(name))
    network = {**NETWORKS, "modules": modules, "helper": nn.Identity}[name]().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.3, 1.5)
            nn.init.normal_(layer.weight, 1, 0.3)
            nn.init.normal_(layer.bias, 0, 0.3)
    x = torch.randn(1, 3, 8, 8)
    path = folder / f"{name}-{exporter}.onnx"
    if name == "helper":
        onnx.save(by_hand(), path)
    elif exporter == "functions":
        torch.onnx.export(network, x, str(path), opset_version=17, dynamo=False, export_modules_as_functions=True)
    elif exporter == "old":
        torch.onnx.export(network, x, str(path), opset_version=17, dynamo=False)
    else:
        torch.onnx.export(network, (x,), str(path), dynamo=True, external_data=False)
        onnx.save(without_notes(onnx.load(path)), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    if name in LOGITS:
        outputs = [y.detach().numpy() for y in LOGITS[name](network, x)]
    x.numpy().astype("<f4").tofile(path.with_suffix(".in"))
    np.concatenate([y.astype("<f4").ravel() for y in outputs]).tofile(path.with_suffix(".out"))


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    names = sys.argv[2:]
    for index, name in enumerate(NETWORKS):
        if names == ["all"]:
            exporters = ["old", "new"]
        elif not names or name in names:
            # One exporter each, in turn.
            exporters = [["old", "new"][index % 2]]
        else:
            continue
        for exporter in exporters:
            make(folder, name, exporter)
    for name in ["modules", "helper"]:
        if names == ["all"] or not names or name in names:
            make(folder, name, "functions")


if __name__ == "__main__":
    main()
