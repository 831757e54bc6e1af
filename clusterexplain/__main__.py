"""``python -m clusterexplain`` is the command line."""

from clusterexplain.cli.app import main

main()
