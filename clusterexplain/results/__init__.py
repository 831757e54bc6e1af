"""Plain data about an answer, and its words: arrays and tables. An explanation holds its fit, nothing else looks back."""
