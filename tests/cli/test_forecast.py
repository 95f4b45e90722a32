"""The two commands as a user types them."""

import json

import numpy as np
import pytest


@pytest.fixture
def wave(tmp_path):
    t = np.arange(120)
    path = tmp_path / "wave.csv"
    rows = "\n".join(f"{0.1 * i!r},{np.sin(0.2 * i)!r},{np.cos(0.2 * i)!r}" for i in t.tolist())
    path.write_text("time,a,b\n" + rows.replace("np.float64(", "").replace(")", ""))
    return path


def test_forecast_scores_models_writes_rows_and_a_report(neurograft, wave, tmp_path):
    said = neurograft(
        "forecast", wave, "-o", tmp_path / "out.csv", "--report", tmp_path / "out.html", "--steps", 12, "--json"
    )
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["best"] in result["models"]
    assert result["models"]["persistence"]["nrmse"] > 10 * result["models"][result["best"]]["nrmse"]
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert rows[0] == "time,a,b,is_forecast"
    assert len(rows) == 13
    first = [float(v) for v in rows[1].split(",")]
    assert first == pytest.approx([12.0, np.sin(24.0), np.cos(24.0), 1], abs=1e-3)
    page = (tmp_path / "out.html").read_text()
    assert "Held-out rows" in page
    assert "persistence" in page


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n" + "\n".join(f"{i},{'' if i == 20 else i * i}" for i in range(60)), "first at [20, b]"),
        ("a,b\n" + "\n".join(f"{i * i % 7},3" for i in range(60)), "Column 1 (b) is constant"),
        ("a\n1\n2\n3\n", "rows"),
    ],
)
def test_bad_series_leave_with_code_two_and_no_file(neurograft, tmp_path, text, match):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    said = neurograft("forecast", path, "-o", tmp_path / "out.csv")
    assert said.code == 2
    assert match in said.err
    assert not (tmp_path / "out.csv").exists()


def test_a_map_forecasts_beside_its_shuffled_twin(neurograft, wave, ring):
    said = neurograft("forecast", wave, "--network", ring, "--json")
    assert said.code == 0, said.err
    models = json.loads(said.out)["models"]
    mine, twin = (models[f"echo state, the network's wiring{which}"] for which in ("", ", shuffled"))
    assert mine["nrmse_one_step"] != twin["nrmse_one_step"]
    assert max(mine["nrmse_one_step"], twin["nrmse_one_step"]) < models["persistence"]["nrmse_one_step"]
    wrong = neurograft("forecast", wave, "--network", wave)
    assert wrong.code == 2


def test_reservoir_measures_a_map_beside_its_nulls(neurograft, ring, tmp_path):
    said = neurograft("reservoir", ring, "--signs", "random", "--nulls", 1, "--report", tmp_path / "r.html", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert [r["name"] for r in result["results"]] == ["the network", "null 1"]
    assert 3 < result["results"][0]["memory"] <= 12
    assert "memory" in (tmp_path / "r.html").read_text()
    wrong = neurograft("reservoir", ring, "--signs", "rnd")
    assert wrong.code == 2
    assert "Known: as-is, dale, random" in wrong.err
