"""The whole-fly-brain model from the command line, on small tables with the published columns."""

import json

import numpy as np

from neurograft.maps import load_map
from neurograft.network import stimulated_rates_hz
from neurograft.spikes import open_spikes

FIRST = 720575940600000000
IDS = [str(FIRST + 7 * i) for i in range(30)]


def tables(folder, pyarrow):
    """Write a chain: three stimulated neurons onto all of the next five, those onto one at the end."""
    pre = np.repeat(np.arange(8), [5, 5, 5, 1, 1, 1, 1, 1])
    post = np.array([*range(3, 8)] * 3 + [8] * 5)
    count = np.full(pre.size, 100)
    columns = {
        "Presynaptic_ID": pre + FIRST,
        "Postsynaptic_ID": post + FIRST,
        "Presynaptic_Index": pre,
        "Postsynaptic_Index": post,
        "Connectivity": count,
        "Excitatory": np.ones(pre.size, dtype=int),
        "Excitatory x Connectivity": count,
    }
    connectivity, completeness = folder / "Connectivity_630.parquet", folder / "Completeness_630.csv"
    pyarrow.parquet.write_table(pyarrow.table(columns), connectivity)
    completeness.write_text(",Completed\n" + "".join(f"{i},True\n" for i in IDS))
    return connectivity, completeness


def test_the_published_tables_are_imported_stimulated_and_run(neurograft, tmp_path):
    import pyarrow
    import pyarrow.parquet

    connectivity, completeness = tables(tmp_path, pyarrow)
    fly, out, protocol = tmp_path / "fly.h5", tmp_path / "out.h5", tmp_path / "sugar.csv"
    words = ("import", connectivity, "--fly-brain", "-o", fly)
    said = neurograft(*words, "--neurons", completeness, "--stimulated", ",".join(IDS[:3]))
    assert said.code == 0, said.err
    m = load_map(fly)
    assert m.labels == tuple(IDS)
    assert m.model[2:4] == ("lif-fly-stimulated", "lif-fly")
    protocol.write_text(
        "kind,neurons,start_s,stop_s,weight_mv,rate_hz\n" + f"poisson,{' '.join(IDS[:3])},0,4,68.75,100\n"
    )
    run = ("run", fly, "-o", out, "--seconds", "4", "--rate-hz", "0", "--stimulus", protocol, "--json")
    said = neurograft(*run, "--watch", f"{IDS[0]},{IDS[8]},{IDS[20]}")
    assert said.code == 0, said.err
    told = json.loads(said.out)["watched_hz"]
    assert 75 < told[IDS[0]] < 125  # 400 events: five standard errors
    assert told[IDS[20]] == 0  # nothing reaches it, and there is no background
    by_python = stimulated_rates_hz(m, IDS[:3], rate_hz=100, n_trials=4, seed=1).mean(axis=0)
    assert told[IDS[8]] > 20
    assert abs(told[IDS[8]] - by_python[8]) < 0.2 * by_python[8]
    assert open_spikes(out).n_neurons == 30


def test_what_the_fly_brain_fixes_cannot_be_chosen(neurograft, tmp_path):
    import pyarrow
    import pyarrow.parquet

    connectivity, completeness = tables(tmp_path, pyarrow)
    words = ("import", connectivity, "-o", tmp_path / "fly.h5")
    for more, told in (
        (("--fly-brain",), "completeness table"),
        (("--fly-brain", "--neurons", completeness, "--mv-per-count", "1"), "fixes columns"),
        (("--fly-brain", "--neurons", completeness, "--stimulated", "77"), "no neuron 77"),
        (("--fly-brain", "--neurons", completeness, "--stimulated", "sugar-right"), "21 of 21"),
        (("--neurons", completeness, "--stimulated", "77"), "is for --fly-brain"),
    ):
        said = neurograft(*words, *more)
        assert said.code == 2
        assert told in said.err
    assert not (tmp_path / "fly.h5").exists()
