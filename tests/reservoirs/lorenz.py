"""Lorenz data that several tests share, made once."""

from functools import cache

import numpy as np

from neurograft.reservoirs import Accurate, Published, lorenz63, series, starts, valid_time

FLOW = lorenz63()


@cache
def accurate(n_points, n_warm_up=0):
    return series(FLOW, n_points=n_points, n_warm_up=n_warm_up, solver=Accurate(n_substeps=3))


@cache
def published(n_points):
    return series(FLOW, n_points=n_points, solver=Published())


@cache
def truth(n_starts, n_steps):
    begin = starts(FLOW, n_starts, spacing=100, n_warm_up=300)
    return series(FLOW, n_points=n_steps + 1, start=begin, solver=Accurate(n_substeps=3))


def median_valid_time(model, n_starts=8, n_steps=1000):
    known = truth(n_starts, n_steps)
    found = model.forecast(n_steps, known[:, :1] if model.n_history == 1 else known[:, : model.n_history])
    ahead = known[:, model.n_history :]
    scale = accurate(2000, 500).std(axis=0)
    values = found.values[:, : ahead.shape[1]]
    return valid_time(ahead, values, scale=scale, dt=FLOW.dt, lyapunov_time=FLOW.lyapunov_time).median


def noisy(x, share, seed):
    return x + share * x.std(axis=0) * np.random.default_rng(seed).standard_normal(x.shape)
