"""What is explained: rows with stable ids, checked once at the door."""

from clusterexplain.data.catalog import list_datasets, load_dataset
from clusterexplain.data.dataset import Dataset

__all__ = ["Dataset", "list_datasets", "load_dataset"]
