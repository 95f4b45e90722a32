"""Forecasting with few neurons, and any network's map as a reservoir."""

from neurograft.reservoirs._climate import largest_exponent as largest_exponent
from neurograft.reservoirs._climate import spectrum_distance_db as spectrum_distance_db
from neurograft.reservoirs._driven import KURAMOTO_LYAPUNOV_TIME_22 as KURAMOTO_LYAPUNOV_TIME_22
from neurograft.reservoirs._driven import kuramoto_sivashinsky as kuramoto_sivashinsky
from neurograft.reservoirs._driven import mackey_glass as mackey_glass
from neurograft.reservoirs._driven import narma10 as narma10
from neurograft.reservoirs._measures import ValidTime as ValidTime
from neurograft.reservoirs._measures import nrmse_mean as nrmse_mean
from neurograft.reservoirs._measures import nrmse_total as nrmse_total
from neurograft.reservoirs._measures import valid_steps as valid_steps
from neurograft.reservoirs._measures import valid_time as valid_time
from neurograft.reservoirs._solvers import Accurate as Accurate
from neurograft.reservoirs._solvers import Published as Published
from neurograft.reservoirs._solvers import Solver as Solver
from neurograft.reservoirs._systems import Flow as Flow
from neurograft.reservoirs._systems import double_scroll as double_scroll
from neurograft.reservoirs._systems import lorenz63 as lorenz63
from neurograft.reservoirs._systems import lorenz96 as lorenz96
from neurograft.reservoirs._systems import series as series
from neurograft.reservoirs._systems import starts as starts
