"""Plain data about an answer, and its words; no way back to what made it."""
