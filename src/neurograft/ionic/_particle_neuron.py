"""The neuron with every ion of both slits moving: the authors' scheme, block by block, with checkpoints.

Before each block of 10^4 steps the potential takes one explicit Euler step.  A slit's conductance is its measured
mean current over the potential; as we read the authors' input, block k uses the currents of block k - 2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._brownian import IonModel, IonState, Plane, Stepper, random_start
from neurograft.ionic._checkpoint import read_arrays, write_arrays
from neurograft.ionic._circuit import FIELD_UNIT_V_M, Circuit, NeuronTrace
from neurograft.ionic._dilute import DiluteStepper, stepper_for
from neurograft.ionic._interaction import PAPER, Interaction
from neurograft.ionic._salt import Ion, Salt
from neurograft.progress import Progress, silent
from neurograft.units import ELEMENTARY_CHARGE_C, NM, PS

_SMALLEST_V: Final = 0.1  # below, a current divided by the potential is noise; the last conductance is kept
_SAVE_EVERY: Final = 20


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleOptions:
    """How the ions are stepped; the defaults are the authors'."""

    interaction: Interaction = PAPER
    step_s: float = 5 * PS
    block_steps: int = 10_000
    quiet_blocks: int = 101  # at first the circuit is off
    start_v: float = 0.001 * FIELD_UNIT_V_M * 2e-6
    lag_blocks: int = 2


@final
@dataclass(slots=True, kw_only=True, eq=False)
class ParticleNeuron:
    """Both slits' ions, the potential and what was measured so far; ``advance`` does one block."""

    circuit: Circuit
    options: ParticleOptions
    slits: tuple[IonState, IonState]
    voltage_v: float
    rows: list[tuple[float, float, float]] = field(default_factory=list[tuple[float, float, float]])
    _steppers: tuple[Stepper | DiluteStepper, Stepper | DiluteStepper] = field(init=False)

    def __post_init__(self) -> None:
        """Make the steppers."""
        na, k = slit_models(self.circuit, self.options)
        self._steppers = (stepper_for(na), stepper_for(k))

    def advance(self) -> None:
        """Update the potential, then move the ions of both slits for one block."""
        c, o = self.circuit, self.options
        block_s = o.block_steps * o.step_s
        if len(self.rows) > o.quiet_blocks:
            _, n_na, n_k = self.rows[-min(o.lag_blocks, len(self.rows))]
            i_na = c.free_siemens * n_na * (self.voltage_v - c.reversal_na_v)
            i_k = c.free_siemens * n_k * (self.voltage_v - c.reversal_k_v)
            self.voltage_v += block_s / c.capacitance_f * (c.current_a - c.na_gain * i_na - i_k)
        fields = np.full(o.block_steps, self.voltage_v / c.length_m)
        moved_nm = [stepper.advance(state, fields) for stepper, state in zip(self._steppers, self.slits, strict=True)]
        n_na, n_k = (self._fraction(nm, block_s, k) for k, nm in enumerate(moved_nm))
        self.rows.append((self.voltage_v, n_na, n_k))

    def _fraction(self, moved_nm: float, block_s: float, slit: int) -> float:
        """Return the conduction fraction: measured current over that of free ions."""
        if abs(self.voltage_v) < _SMALLEST_V:
            return self.rows[-1][1 + slit] if self.rows else 1.0
        current_a = ELEMENTARY_CHARGE_C * moved_nm * NM / (self.circuit.length_m * block_s)
        return current_a / (self.circuit.free_siemens * self.voltage_v)

    def trace(self) -> NeuronTrace:
        """Return what was measured, at the end of each block."""
        v, n_na, n_k = np.array(self.rows).reshape(-1, 3).T.copy()
        return NeuronTrace((1 + np.arange(v.size)) * self.options.block_steps * self.options.step_s, v, n_na, n_k)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        arrays = {"rows": np.array(self.rows).reshape(-1, 3), "voltage_v": np.array([self.voltage_v])}
        for name, state in zip(("na", "k"), self.slits, strict=True):
            arrays |= {f"{name}_x": state.x_nm, f"{name}_y": state.y_nm, f"{name}_species": state.species}
            arrays |= {f"{name}_words": state.words, f"{name}_steps": np.array([state.n_steps])}
        write_arrays(path, arrays, kind="particle neuron")


def slit_models(circuit: Circuit, options: ParticleOptions) -> tuple[IonModel, IonModel]:
    """Return the two slits of a circuit, with walls across the field."""
    made: list[IonModel] = []
    for width_m in (circuit.na_width_m, circuit.k_width_m):
        ions = tuple(
            Ion(name=name, valence=sign * circuit.valence, diffusion_m2_s=circuit.diffusion_m2_s)
            for name, sign in (("cation", 1), ("anion", -1))
        )
        made.append(
            IonModel(
                salt=Salt(ions=ions, counts=(circuit.n_pairs, circuit.n_pairs)),
                plane=Plane(length_m=circuit.length_m, width_m=width_m, has_walls=True),
                interaction=options.interaction,
                step_s=options.step_s,
                temperature_k=circuit.temperature_k,
            )
        )
    return made[0], made[1]


def start_neuron(circuit: Circuit, options: ParticleOptions, rng: Generator) -> ParticleNeuron:
    """Return a neuron whose ions are spread evenly."""
    na, k = (random_start(model, rng) for model in slit_models(circuit, options))
    return ParticleNeuron(circuit=circuit, options=options, slits=(na, k), voltage_v=options.start_v)


def load_neuron(path: Path, circuit: Circuit, options: ParticleOptions) -> ParticleNeuron:
    """Return a neuron from its checkpoint; circuit and options are those it was started with."""
    arrays = read_arrays(path, kind="particle neuron")
    states: list[IonState] = []
    for name in ("na", "k"):
        if arrays[f"{name}_x"].size != 2 * circuit.n_pairs:
            raise IonicError(f"{path} has {arrays[f'{name}_x'].size} ions a slit, the circuit {2 * circuit.n_pairs}.")
        parts = {key: arrays[f"{name}_{key}"] for key in ("x", "y", "species", "words", "steps")}
        states.append(
            IonState(
                x_nm=parts["x"], y_nm=parts["y"], species=parts["species"], words=parts["words"],
                n_steps=int(parts["steps"][0]),
            )
        )  # fmt: skip
    rows = [(float(v), float(a), float(b)) for v, a, b in arrays["rows"]]
    voltage_v = float(arrays["voltage_v"][0])
    return ParticleNeuron(
        circuit=circuit, options=options, slits=(states[0], states[1]), voltage_v=voltage_v, rows=rows
    )


def run_particles(
    neuron: ParticleNeuron,
    *,
    duration_s: float,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    on_block: Callable[[ParticleNeuron], None] | None = None,
) -> NeuronTrace:
    """Advance until ``duration_s`` of model time; a stopped run goes on from its last checkpoint, bit for bit."""
    n_blocks = round(duration_s / (neuron.options.block_steps * neuron.options.step_s))
    if checkpoint is not None and not checkpoint.exists():
        neuron.save(checkpoint)
    while len(neuron.rows) < n_blocks:
        neuron.advance()
        progress("particle neuron", len(neuron.rows), n_blocks)
        if on_block is not None:
            on_block(neuron)
        if checkpoint is not None and (len(neuron.rows) % _SAVE_EVERY == 0 or len(neuron.rows) == n_blocks):
            neuron.save(checkpoint)
    return neuron.trace()
