"""What agent and central must agree on: the YAML, the engine, the wire. Pure: no I/O, no clock."""
