"""Agreement, intervals, reliability, matching of clusters and sums over groups, on plain arrays."""
