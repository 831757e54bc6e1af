"""Golden arrays: the numbers of the package floor by floor, kept so that a change of its insides cannot change them unseen.

``cases`` says what is computed, on 40 rows and 20 steps in float64 with every parameter pinned. ``floors`` reads the arrays out
of the package as it is now; everything that it reaches into is in the adapter at its top, which follows the package when it is
renamed. ``floors_old`` does the same for commit 88e2d3f and never changes. ``arrays`` holds what that commit gave, and
``test_goldens`` compares. To look at the last bit, compare two environments on one machine::

    python tests/goldens/compare.py --old PYTHON TREE --new PYTHON TREE

All arrays were made once, by commit 88e2d3f with torch 2.13.0, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1 and
hdbscan 0.8.44::

    PYTHONPATH=TREE python tests/goldens/make.py --floors old --out tests/goldens/arrays
    PYTHONPATH=TREE python tests/goldens/make.py --floors old --out tests/goldens/arrays --case reproduce_mog
    PYTHONPATH=TREE python tests/goldens/make.py --floors old --out tests/goldens/arrays --case reproduce_weat

A new case is written down in ``cases``, a new floor in ``floors``; the arrays of that case alone are made by the commit that is
trusted, with ``--floors current --case NAME``. Arrays that exist are made anew only where a number changes on purpose, and the
message of that commit says why.
"""
