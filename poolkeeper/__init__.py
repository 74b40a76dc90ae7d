"""The one command `poolkeeper`: its root, the operators' commands and the demo."""

__version__ = "0.1.0"
