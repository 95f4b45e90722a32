"""Real recordings and a real wiring map that come with the package, each beside its licence and SOURCE.md."""

from neurograft.samples._samples import WORM_VOLTS_PER_SECTION as WORM_VOLTS_PER_SECTION
from neurograft.samples._samples import aplysia as aplysia
from neurograft.samples._samples import hippocampus as hippocampus
from neurograft.samples._samples import multipatch as multipatch
from neurograft.samples._samples import sample_path as sample_path
from neurograft.samples._samples import worm as worm
