"""Models of single neurons: parameters in, one compiled step out."""

from neurograft.neurons._adex import AdEx as AdEx
from neurograft.neurons._conductance import AlphaConductance as AlphaConductance
from neurograft.neurons._conductance import ConductanceLif as ConductanceLif
from neurograft.neurons._conductance import ExponentialConductance as ExponentialConductance
from neurograft.neurons._conductance import Nmda as Nmda
from neurograft.neurons._fly import FlyLif as FlyLif
from neurograft.neurons._hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from neurograft.neurons._ionic import IonicNeuron as IonicNeuron
from neurograft.neurons._izhikevich import Izhikevich as Izhikevich
from neurograft.neurons._known import known_models as known_models
from neurograft.neurons._known import known_steps as known_steps
from neurograft.neurons._lif import Lif as Lif
from neurograft.neurons._model import Advance as Advance
from neurograft.neurons._model import NeuronModel as NeuronModel
from neurograft.neurons._model import Stepper as Stepper
from neurograft.neurons._model import find_model as find_model
from neurograft.neurons._model import steps_of as steps_of
from neurograft.neurons._own import OwnModel as OwnModel
from neurograft.neurons._siegert import siegert_cv as siegert_cv
from neurograft.neurons._siegert import siegert_mean_v as siegert_mean_v
from neurograft.neurons._siegert import siegert_rate_hz as siegert_rate_hz
from neurograft.neurons._synapses import AlphaSynapse as AlphaSynapse
from neurograft.neurons._synapses import DeltaSynapse as DeltaSynapse
from neurograft.neurons._synapses import ExponentialSynapse as ExponentialSynapse
from neurograft.neurons._synapses import Synapse as Synapse
