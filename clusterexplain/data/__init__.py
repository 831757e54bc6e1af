"""What is explained: rows with stable ids, checked once at the door."""

from clusterexplain.data.dataset import Dataset
from clusterexplain.data.named import list_datasets, load_dataset

__all__ = ["Dataset", "list_datasets", "load_dataset"]
