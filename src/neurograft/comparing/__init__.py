"""How near a copy is to its original: activities, maps, and maps against the truth."""

from neurograft.comparing._compare import compare as compare
from neurograft.comparing._fidelity import Curves as Curves
from neurograft.comparing._fidelity import Fidelity as Fidelity
from neurograft.comparing._fidelity import Measure as Measure
from neurograft.comparing._fidelity import NullResult as NullResult
from neurograft.comparing._map_fidelity import MapFidelity as MapFidelity
from neurograft.comparing._map_fidelity import compare_maps as compare_maps
from neurograft.comparing._options import BurstRule as BurstRule
from neurograft.comparing._options import CompareOptions as CompareOptions
from neurograft.comparing._options import SameDrive as SameDrive
from neurograft.comparing._poisson import poisson_trains as poisson_trains
from neurograft.comparing._ranking import Ranking as Ranking
from neurograft.comparing._ranking import Share as Share
from neurograft.comparing._score import ScoreOptions as ScoreOptions
from neurograft.comparing._score import score as score
from neurograft.comparing._score_result import DelayError as DelayError
from neurograft.comparing._score_result import Direction as Direction
from neurograft.comparing._score_result import FalseAlarms as FalseAlarms
from neurograft.comparing._score_result import Orientation as Orientation
from neurograft.comparing._score_result import Reliability as Reliability
from neurograft.comparing._score_result import Score as Score
from neurograft.comparing._score_result import Slice as Slice
from neurograft.comparing._score_result import StrengthError as StrengthError
from neurograft.comparing._shuffle import shuffled_map as shuffled_map
from neurograft.comparing._shuffle import weights_permuted as weights_permuted
