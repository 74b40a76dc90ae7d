"""Drives the engine, and other scalers to compare it with, over a recorded series of demand."""
