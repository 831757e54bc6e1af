"""theta(w), phi(w) and s(w) put together: the fit, and what it is at other data weights."""
