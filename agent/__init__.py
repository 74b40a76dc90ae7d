"""The shell on a node: it observes pools, lets the engine decide, acts, and reports."""
