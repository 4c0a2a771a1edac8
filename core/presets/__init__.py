"""Configurations by name: what `--preset` and a search space's `preset` start from.

All but `paper` and `robust` follow a publication; the comment on each says where it departs.
"""

from core.config import Config
from core.presets.classifying import CUTPASTE_CLASSIFIER
from core.presets.generative import CONSTRAINED_AAE, F_ANOGAN, VQ_VAE
from core.presets.reconstructing import CE_VAE, CONTEXT_ENCODER, DAE, PLAIN_VAE
from core.presets.segmenting import CUTPASTE, FPI, MANY_TASKS, NSA, PII, ROBUST

PRESETS = {
    "paper": Config(),
    "robust": ROBUST,
    "fpi": FPI,
    "pii": PII,
    "cutpaste": CUTPASTE,
    "nsa": NSA,
    "many-tasks": MANY_TASKS,
    "dae": DAE,
    "context-encoder": CONTEXT_ENCODER,
    "vae": PLAIN_VAE,
    "ce-vae": CE_VAE,
    "vq-vae": VQ_VAE,
    "f-anogan": F_ANOGAN,
    "aae": CONSTRAINED_AAE,
    "cutpaste-classifier": CUTPASTE_CLASSIFIER,
}
