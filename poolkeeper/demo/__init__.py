"""The demo: the real parts as real processes, a story played on them, every step checked."""
