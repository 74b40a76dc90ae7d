"""The YAML that operators edit: models, loader, hash, lints, JSON Schema."""
