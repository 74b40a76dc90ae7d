"""One module per revision, additive, so that old and new replicas can overlap."""
