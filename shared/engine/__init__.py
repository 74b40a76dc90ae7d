"""The decision: observation + memory + configuration + now -> what to do, and why. Pure."""
