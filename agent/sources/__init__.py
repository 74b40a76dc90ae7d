"""Where readings come from. A source is one module behind the `MetricSource` protocol."""
