"""How near a copy is to its original: activities, maps, and maps against the truth."""

from neurograft.comparing._compare import compare as compare
from neurograft.comparing._fidelity import Curves as Curves
from neurograft.comparing._fidelity import Fidelity as Fidelity
from neurograft.comparing._fidelity import Measure as Measure
from neurograft.comparing._fidelity import NullResult as NullResult
from neurograft.comparing._options import BurstRule as BurstRule
from neurograft.comparing._options import CompareOptions as CompareOptions
from neurograft.comparing._options import SameDrive as SameDrive
from neurograft.comparing._poisson import poisson_trains as poisson_trains
from neurograft.comparing._shuffle import shuffled_map as shuffled_map
from neurograft.comparing._shuffle import weights_permuted as weights_permuted
