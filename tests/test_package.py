"""What a user meets first: the version, the public names, and how light the import is."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import neurograft

REPOSITORY = Path(__file__).resolve().parents[1]
STUB = REPOSITORY / "src" / "neurograft" / "__init__.pyi"


def public_names() -> list[str]:
    return re.findall(r"^from \.\w+ import \w+ as (\w+)$", STUB.read_text(), re.MULTILINE)


def test_the_version_is_that_of_the_project_file():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert neurograft.__version__ == project["project"]["version"]


def test_every_public_name_can_be_used():
    missing = [name for name in public_names() if not hasattr(neurograft, name)]
    assert missing == []


def test_there_are_under_thirty_public_names_and_all_are_in_the_readme():
    names = public_names()
    assert 10 < len(names) < 30
    readme = (REPOSITORY / "README.md").read_text()
    assert [name for name in names if f"`{name}`" not in readme and f"neurograft.{name}" not in readme] == []


def test_files_may_be_named_by_text(tmp_path):
    table, held, pasted = (str(tmp_path / name) for name in ("table.csv", "map.h5", "image.h5"))
    Path(table).write_text("pre,post,weight_mv\na,b,1.4\nb,a,-0.9\n")
    m = neurograft.import_table(table)
    neurograft.save_map(m, held)
    assert neurograft.load_map(held).weight_v.tolist() == m.weight_v.tolist()
    image = neurograft.paste(m, memory=neurograft.card("rram"), seed=1)
    neurograft.save_image(image, pasted)
    assert neurograft.load_image(pasted).pulses.tolist() == image.pulses.tolist()


def test_importing_the_package_imports_no_heavy_library():
    code = "import sys, neurograft, neurograft.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"numpy", "scipy", "numba", "h5py", "plotly", "spikeinterface", "neo", "pynwb", "elephant", "pandas"}
    assert heavy.isdisjoint(loaded)
