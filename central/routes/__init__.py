"""HTTP in, store calls, values out: one module per noun."""
