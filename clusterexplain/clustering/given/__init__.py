"""Clusters that were found elsewhere: a user's labels, their graph, how they are found anew, fitted estimators."""
