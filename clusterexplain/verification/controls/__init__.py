"""Controls of a check: what must hold, or be beaten, before an agreement means anything."""
