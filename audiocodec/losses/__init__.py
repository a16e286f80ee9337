"""What training minimises: spectral and sample distances, adversarial and feature-matching losses, their balance."""

from .adversarial import adversarial_loss, discriminator_loss, feature_matching_loss
from .balancer import Balancer
from .discriminators import Discriminators, PeriodDiscriminator, STFTDiscriminator
from .spectral import MultiScaleMel, MultiScaleSTFT, ReconstructionLoss

__all__ = [
    "Balancer",
    "Discriminators",
    "MultiScaleMel",
    "MultiScaleSTFT",
    "PeriodDiscriminator",
    "ReconstructionLoss",
    "STFTDiscriminator",
    "adversarial_loss",
    "discriminator_loss",
    "feature_matching_loss",
]
