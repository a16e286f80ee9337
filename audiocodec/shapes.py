"""Names of tensor shapes: B items, C channels, L samples, D latent dimensions, T frames, K codebooks."""

from jaxtyping import Float, Int
from torch import Tensor

Wav = Float[Tensor, "B C L"]
Latent = Float[Tensor, "B D T"]
Codes = Int[Tensor, "B K T"]
