"""Driven networks: kernels against numpy, capacities against known bounds, maps against shuffles, physics laws."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from neurograft.errors import OptionError, SeriesError
from neurograft.maps import synapse_map
from neurograft.reservoirs import (
    Dale,
    EchoState,
    MapWiring,
    MemristiveReservoir,
    PastedReservoir,
    SpikingReservoir,
    all_positive,
    as_is,
    examine,
    information_capacity,
    kernel_rank,
    matrix_of,
    memory_capacity,
    narma10,
    null_matrices,
    orthogonal,
    random_signs,
    ring,
    signed_lattice,
    sparse_random,
    with_radius,
)
from neurograft.samples import worm
from neurograft.units import MS, MV
from reservoirs.lorenz import published


def test_nodes_equal_their_slow_twin():
    x = published(80)
    model = EchoState(n_nodes=40, leak=0.4, n_washout=5, random_state=3).fit(x)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    state, slow = np.zeros(40), []
    for row in z:
        pushed = model._matrix.toarray() @ state + model._input @ row + model._bias
        state = 0.6 * state + 0.4 * np.tanh(pushed)
        slow.append(state)
    assert np.allclose(model.states(x), slow, atol=1e-12)


def test_an_echo_state_forecasts_and_its_rollout_is_its_prediction_repeated():
    x = published(900)
    model = EchoState(n_nodes=200, ridge=1e-9).fit(x[:700])
    found = model.forecast(20)
    assert np.abs(found.values[:10] - x[700:710]).max() < 0.1 * np.ptp(x)
    again = x[:700]
    for _ in range(5):
        again = np.vstack([again, model.predict(again)[-1]])
    assert np.allclose(found.values[:5], again[700:], atol=1e-8)
    batch = model.forecast(4, np.stack([x[:51], x[300:351]]))
    assert np.allclose(batch.values[1], model.forecast(4, x[300:351]).values)


@pytest.mark.parametrize("wiring", [sparse_random, ring, orthogonal, signed_lattice])
def test_the_spectral_radius_is_what_was_asked_for(wiring):
    matrix = with_radius(wiring(120, np.random.default_rng(1)), 0.9)
    assert np.max(np.abs(np.linalg.eigvals(matrix.toarray()))) == pytest.approx(0.9, rel=1e-6)
    assert np.array_equal(
        matrix.toarray(), with_radius(wiring(120, np.random.default_rng(1)), 0.9).toarray()
    )  # same seed, same matrix


def test_narma_is_followed_by_five_hundred_nodes_as_published_and_better():
    """Settings were chosen on seed 11; the figure to beat is 0.11 (benchmarks/forecast.py prints three seeds)."""
    rng = np.random.default_rng(21)
    u, y = narma10(4000, rng)
    model = EchoState(
        n_nodes=500, radius=0.97, input_scale=0.005, bias=0.02, ridge=1e-10, n_washout=200, wiring=signed_lattice,
        random_state=21,
    ).fit(u[:3000, None], y[:3000])  # fmt: skip
    wrong = model.predict(u[:, None])[3000:] - y[3000:]
    assert np.sqrt(np.mean(wrong**2)) / y[3000:].std() < 0.1


def test_products_of_directions_are_seen_by_the_read_out():
    """The product of two delayed inputs is no sum of squares of nodes that hear one input each."""
    rng = np.random.default_rng(7)
    u = rng.uniform(-1, 1, 900)
    y = np.concatenate([np.zeros(3), u[1:-2] * u[:-3]])  # u two back times u three back
    scores = []
    for n_products in (0, 12):
        model = EchoState(
            n_nodes=12, radius=0.9, input_scale=0.05, bias=0.0, ridge=1e-10, wiring=ring, n_products=n_products
        )
        model.fit(u[:600, None], y[:600])
        scores.append(model.score(u[:, None], y))
    assert scores[1] > max(scores[0] + 0.2, 0.8)
    with pytest.raises(OptionError, match="n_products -1"):
        EchoState(n_products=-1).fit(u[:, None])


def delay_line(length):
    """A network that remembers exactly ``length`` inputs."""

    def states(u):
        return np.stack([np.concatenate([np.zeros(k), u[: len(u) - k, 0]]) for k in range(1, length + 1)], axis=1)

    return states


def test_a_delay_line_has_the_memory_of_its_length_and_nothing_else():
    rng = np.random.default_rng(0)
    found = memory_capacity(delay_line(12), rng, n_rows=1500, n_washout=100, longest=40)
    assert found.total == pytest.approx(12, abs=0.01)
    assert found.by_order[12:].max() == 0
    assert found.bound == 12
    capacity = information_capacity(delay_line(12), rng, n_rows=2000)
    assert capacity.by_order[0] == pytest.approx(12, abs=0.2)
    assert capacity.by_order[1:].max() < 0.5  # chance may pass the threshold now and then


def test_squares_of_the_input_are_capacity_of_degree_two():
    def states(u):
        return np.concatenate([np.zeros((3, 1)), u[:-3] ** 2])

    found = information_capacity(states, np.random.default_rng(2), n_rows=1500)
    assert found.by_order[0] < 0.1
    assert found.by_order[1] == pytest.approx(1, abs=0.05)


def test_capacities_stay_below_the_number_of_nodes():
    rng = np.random.default_rng(4)
    pasted = PastedReservoir(sparse_random(40, rng), rng)
    assert 2 < memory_capacity(pasted.states, rng, n_rows=1500, longest=60).total <= 40
    assert information_capacity(pasted.states, rng, n_rows=2500).total <= 41  # chance
    assert 2 <= kernel_rank(pasted.states, rng, n_inputs=50) <= 40


def test_all_positive_is_the_worst_and_random_signs_repair_it():
    rng = np.random.default_rng(5)
    matrix = matrix_of(all_positive(worm()))
    memory = {
        name: memory_capacity(PastedReservoir(matrix, rng, signs=rule).states, rng, n_rows=1500, longest=60).total
        for name, rule in (("as is", as_is), ("random", random_signs))
    }
    assert matrix.data.min() >= 0
    assert memory["random"] > memory["as is"]


def test_dale_gives_each_neuron_one_sign():
    rng = np.random.default_rng(6)
    signed = Dale(0.3)(matrix_of(worm()), rng).tocsc()
    for j in range(signed.shape[0]):
        column = signed.data[signed.indptr[j] : signed.indptr[j + 1]]
        assert (column > 0).all() or (column < 0).all() or column.size == 0
    share = np.mean([signed[:, [j]].sum() < 0 for j in range(signed.shape[0])])
    assert 0.2 < share < 0.4
    with pytest.raises(OptionError, match="share is 2"):
        Dale(2.0)


def test_nulls_keep_strengths_and_number():
    matrix = matrix_of(worm())
    nulls = null_matrices(matrix, 2, np.random.default_rng(7))
    for null in nulls:
        assert np.allclose(np.sort(null.data), np.sort(matrix.data))
        assert null.diagonal().max() == 0
    assert (nulls[0] != nulls[1]).nnz > 0


def test_an_examination_sets_the_network_beside_its_nulls():
    rng = np.random.default_rng(8)
    found = examine(matrix_of(worm()), rng, signs=random_signs, n_nulls=1)
    assert [e.name for e in found] == ["the network", "null 1"]
    assert found[0].memory != found[1].memory
    assert all(0 < e.narma_nrmse < 1.5 for e in found)


def chain(n):
    node = np.arange(n - 1)
    return synapse_map(n_neurons=n, pre=node, post=node + 1, weight_v=np.full(n - 1, 3 * MV), delay_s=2 * MS)


@pytest.mark.parametrize("has_voltages", [False, True])
def test_a_map_is_driven_through_the_engine_and_its_states_follow_the_input(has_voltages):
    rng = np.random.default_rng(9)
    pasted = SpikingReservoir(chain(15), np.random.default_rng(0), has_voltages=has_voltages)
    u = rng.uniform(-1, 1, (40, 1))
    states = pasted.states(u)
    assert states.shape == (40, 15)
    assert np.array_equal(states, pasted.states(u))
    changed = u.copy()
    changed[20:] *= -1
    other = pasted.states(changed)
    assert np.array_equal(states[:20], other[:20])
    assert not np.allclose(states[20:], other[20:])


def kirchhoff(matrix_siemens, inputs, grounded, volts):
    """Voltages by the pseudo-inverse of the whole Laplacian, held nodes as equations: shares nothing with ours."""
    n = len(matrix_siemens)
    laplacian = np.diag(matrix_siemens.sum(axis=1)) - matrix_siemens
    wanted = np.zeros(n)
    for node, value in [*zip(inputs, volts, strict=True), *((g, 0.0) for g in grounded)]:
        laplacian[node] = np.eye(n)[node]
        wanted[node] = value
    return np.linalg.solve(laplacian, wanted)


def memristive(n=20, seed=0):
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n, n)) < 0.4).astype(float)
    return MemristiveReservoir(matrix, rng, inputs=np.array([0, 3]), grounded=np.array([1]))


def test_memristor_voltages_obey_kirchhoff_and_conductances_the_switches_rates():
    net = memristive()
    u = 0.3 * np.random.default_rng(1).standard_normal((6, 2))
    found = net.states(u)
    share = net._start.copy()
    for t in range(6):
        siemens = np.zeros((20, 20))
        siemens[net.one, net.other] = net._off + share * (net._on - net._off)
        slow = kirchhoff(siemens + siemens.T, [0, 3], [1], u[t])
        assert np.allclose(found[t], slow, atol=1e-12)
        across = slow[net.one] - slow[net.other]
        for k in range(len(share)):
            rate = 1e-4 / net._time_s[k]
            on = rate / (1 + np.exp((net._on_v[k] - across[k]) / 0.02568))
            off = rate / (1 + np.exp((across[k] + net._off_v[k]) / 0.02568))
            share[k] += (1 - share[k]) * on - share[k] * off


def test_memristors_remember_and_a_floating_part_is_refused():
    net = memristive()
    quiet = np.full((30, 2), 0.05)
    shocked = quiet.copy()
    shocked[5:15, 0] = 1.0
    assert np.abs(net.states(quiet)[-1] - net.states(shocked)[-1]).max() > 1e-4
    apart = sparse.block_diag([np.ones((4, 4)), np.ones((3, 3))])
    with pytest.raises(SeriesError, match="Node 4 and 2 more"):
        MemristiveReservoir(
            sparse.csr_array(apart), np.random.default_rng(0), inputs=np.array([0]), grounded=np.array([1])
        )
    with pytest.raises(OptionError, match="different nodes"):
        MemristiveReservoir(np.ones((4, 4)), np.random.default_rng(0), inputs=np.array([0]), grounded=np.array([0]))


def test_a_maps_wiring_forecasts_as_an_echo_state():
    x = published(900)
    animal = worm()
    model = EchoState(n_nodes=animal.n_neurons, wiring=MapWiring(animal), ridge=1e-9).fit(x[:700])
    assert np.abs(model.forecast(10).values - x[700:710]).max() < 0.1 * np.ptp(x)
    wired = (model._matrix != 0).astype(int)
    assert (wired != (matrix_of(animal) != 0).astype(int)).nnz == 0
    assert np.array_equal(clone(model).fit(x[:700]).forecast(3).values, model.forecast(3).values)
    with pytest.raises(OptionError, match="n_nodes is 300, but the map has 302"):
        EchoState(n_nodes=300, wiring=MapWiring(animal)).fit(x)


@pytest.mark.plain
def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(SeriesError, match="Give a square one"):
        PastedReservoir(np.ones((3, 4)), np.random.default_rng(0))


def test_bad_reservoirs_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(SeriesError, match="no cycle"):
        PastedReservoir(np.triu(np.ones((5, 5)), 1), rng)
    with pytest.raises(OptionError, match="leak 0"):
        EchoState(leak=0.0).fit(published(100))
    with pytest.raises(SeriesError, match="has 20 rows"):
        EchoState().fit(published(20))
