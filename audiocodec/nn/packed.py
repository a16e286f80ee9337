"""Matrix products with weights packed once, whose rows do not depend on each other: what live streams are made of.

An ordinary float32 product sums in another order for one row than for many, so a frame encoded alone differs in its
last bits from the same frame inside a file, and near-ties of the codeword search flip. oneDNN's products with packed
weights walk through a row in the same order whatever else there is; frozen.py tries on the spot whether they do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def packable() -> bool:
    """Return whether this build of PyTorch has oneDNN's packed float32 products."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


FEW = 3  # rows up to which an ordinary product is faster


class PackedLinear(nn.Module):
    """`functional.linear` for inference on a CPU in float32, its weight reordered once; not to be trained or saved.

    Args:
        weight: [out, in] float32.
        bias: [out] or None.
        gelu: apply GELU (the exact one) to the result.
        alike: rows come out alike, alone or among others. Where that is not asked for, few rows take a faster way.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, gelu: bool = False, alike: bool = True):
        super().__init__()
        weight = weight.detach().contiguous()
        self.plain = None if alike else weight
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.bias = None if bias is None else bias.detach()
        self.gelu = gelu

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """[..., in] -> [..., out], plus `added` [..., out] where given."""
        if self.plain is not None and x.numel() <= FEW * x.shape[-1]:
            y = functional.linear(x, self.plain, self.bias)
            y = functional.gelu(y) if self.gelu else y
            return y if added is None else y + added
        if added is not None:
            y = torch.ops.mkldnn._linear_pointwise.binary(x, added, self.packed, self.bias, "add")
        else:
            activation = "gelu" if self.gelu else "none"
            y = torch.ops.mkldnn._linear_pointwise.default(x, self.packed, self.bias, activation, [], "none")
        return y


def packed(linear: nn.Module, alike: bool) -> PackedLinear:
    """The packed form of a Linear layer."""
    assert isinstance(linear, nn.Linear)
    return PackedLinear(linear.weight, linear.bias, alike=alike)
