"""Golden arrays: the numbers of the package floor by floor, kept so that a change of its insides cannot change them unseen.

``cases`` says what is computed, on 40 rows and 20 steps in float64 with every parameter pinned. ``floors`` reads the arrays out
of the package as it is now; everything that it reaches into is in the adapter at its top, which follows the package when it is
renamed. ``floors_old`` does the same for commit 88e2d3f and never changes. ``arrays`` holds what that commit gave, and
``test_goldens`` compares. To look at the last bit, compare two environments on one machine::

    python tests/goldens/compare.py --old PYTHON TREE --new PYTHON TREE

A new case is written down in ``cases``, and if it needs a new floor, in ``floors``. Its arrays are made once by the commit that
is trusted, in the environment of its constraints.txt::

    OMP_NUM_THREADS=1 PYTHONPATH=TREE python tests/goldens/make.py --floors old --out tests/goldens/arrays
"""
