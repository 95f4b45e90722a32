"""The whole way on bundled data: each file walks one input and returns its chapters of the report."""

from neurograft.cli.demo._aplysia import aplysia_walk as aplysia_walk
from neurograft.cli.demo._culture import culture_walk as culture_walk
from neurograft.cli.demo._hippocampus import hippocampus_walk as hippocampus_walk
from neurograft.cli.demo._multipatch import multipatch_walk as multipatch_walk
from neurograft.cli.demo._walk import Walk as Walk
from neurograft.cli.demo._worm import worm_walk as worm_walk
