"""The report in a real browser: its policy lets nothing be loaded, and every plot is drawn all the same."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from neurograft.maps import map_from_matrix
from neurograft.report import Report, Section, graph_figure, matrix_figure, raster_figure, rates_figure, write_report
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_every_plot_is_drawn_under_the_policy_that_loads_nothing(tmp_path):
    rng = np.random.default_rng(0)
    m = map_from_matrix(rng.normal(size=(6, 6)) * MV, delay_s=MS, labels=["<b>n0</b>", *"abcde"])
    trains = spike_trains(time_s=rng.random(9000), neuron=rng.integers(0, 6, 9000), labels=m.labels)
    rates = trains.rates_hz()
    blocks = [
        matrix_figure(m),
        graph_figure(m),
        raster_figure({"original": trains}),
        rates_figure(rates, {"copy": rates}, labels=m.labels),
    ]
    path = tmp_path / "report.html"
    write_report(Report(title="t", sections=[Section(title="s", blocks=blocks)]), path)
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run"]
    flags += ["--disable-sync", "--disable-background-networking", "--disable-component-update", "--dump-dom"]
    flags += ["--virtual-time-budget=15000"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    run = subprocess.run(
        [BROWSER, *flags, profile, path.as_uri()], capture_output=True, text=True, timeout=100, check=True
    )
    assert f'data-drawn="{len(blocks)}"' in run.stdout
    page = re.sub("<script.*?</script>", "", run.stdout, flags=re.DOTALL)
    assert "could not be drawn" not in page
    assert page.count('class="main-svg"') >= len(blocks)
    assert "&lt;b&gt;n0&lt;/b&gt;" in page  # as text of a plot, not as bold type
