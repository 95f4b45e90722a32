"""The engine: runs any map, biological or read back from a memory image."""

from neurograft.network._checkpoint import Checkpoint as Checkpoint
from neurograft.network._checkpoint import load_checkpoint as load_checkpoint
from neurograft.network._checkpoint import save_checkpoint as save_checkpoint
from neurograft.network._drive import Drive as Drive
from neurograft.network._drive import DriveFit as DriveFit
from neurograft.network._drive import Modulation as Modulation
from neurograft.network._drive import Poisson as Poisson
from neurograft.network._drive import steady_drive as steady_drive
from neurograft.network._fit_drive import FitOptions as FitOptions
from neurograft.network._fit_drive import fit_drive as fit_drive
from neurograft.network._fit_drive import fit_drive_to_rates as fit_drive_to_rates
from neurograft.network._microcircuit import Microcircuit as Microcircuit
from neurograft.network._microcircuit import microcircuit as microcircuit
from neurograft.network._options import RunOptions as RunOptions
from neurograft.network._populations import Populations as Populations
from neurograft.network._populations import Projection as Projection
from neurograft.network._run import Activity as Activity
from neurograft.network._run import RunInterrupted as RunInterrupted
from neurograft.network._run import UnstableRunError as UnstableRunError
from neurograft.network._run import run as run
