"""The hot path: heartbeats are queued, committed in groups, and answered after their commit."""
