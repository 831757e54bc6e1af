"""Tables of training examples: influences, and what is known beside them."""
