"""What holds numbers in memory, of whatever library, as numpy arrays and pandas frames."""
