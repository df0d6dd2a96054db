"""The 3x3 layers that are compared: convolution, depthwise-separable layer, X-operator."""
from fractions import Fraction
from math import ceil

import torch
from torch import nn

VARIANTS = ["conv", "separable"] + [f"x-{r}-g{g}" for g in (1, 4) for r in ("1/4", "1/2", "1")]


def shuffle(x, groups):
    """Channel shuffle: channel i of group j becomes channel j of group i."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class XOp(nn.Module):
    """X-operator: shuffle; a depthwise kxk on ceil(r c) channels; 1x1 in g groups."""

    def __init__(self, cin, cout, k, stride, spatial, groups):
        super().__init__()
        self.spatial, self.stride, self.groups = ceil(Fraction(spatial) * cin), stride, groups
        self.depthwise = nn.Conv2d(self.spatial, self.spatial, k, stride, k // 2,
                                   groups=self.spatial, bias=False)
        self.pointwise = nn.Conv2d(cin, cout, 1, groups=groups, bias=False)

    def forward(self, x):
        if x.shape[1] % 2 == 0:
            x = shuffle(x, 2)
        a, b = x[:, :self.spatial], x[:, self.spatial:]
        s = self.stride
        y = self.pointwise(torch.cat([self.depthwise(a), b[:, :, ::s, ::s]], 1))
        return shuffle(y, self.groups) if self.groups > 1 else y


def separable(cin, cout, k, stride):
    return nn.Sequential(nn.Conv2d(cin, cin, k, stride, k // 2, groups=cin, bias=False),
                         nn.Conv2d(cin, cout, 1, bias=False))


def conv(variant, cin, cout, stride=1):
    """The 3x3 layer of a variant."""
    if variant == "conv":
        return nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
    if variant == "separable":
        return separable(cin, cout, 3, stride)
    _, spatial, groups = variant.split("-")
    return XOp(cin, cout, 3, stride, spatial, int(groups[1:]))
