"""Every sentence about a result, and its safe form."""
