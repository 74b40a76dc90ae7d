"""The store: heartbeats in, configurations out, history in PostgreSQL."""
