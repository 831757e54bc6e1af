"""Solvers of (C + damping I) v = b: one file for each method; how a solve went is part of what it returns."""

from clusterexplain.influence.solvers.block import OnBlock
from clusterexplain.influence.solvers.conjugate_gradients import ConjugateGradients
from clusterexplain.influence.solvers.dense import Dense
from clusterexplain.influence.solvers.lissa import LiSSA
from clusterexplain.influence.solvers.solution import Solution, Solver, Status

__all__ = ["ConjugateGradients", "Dense", "LiSSA", "OnBlock", "Solution", "Solver", "Status"]
