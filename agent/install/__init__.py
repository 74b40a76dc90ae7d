"""Putting the agent on a node: what is there, what to do about it, doing it.

Imports the standard library only, so that one wheel on PYTHONPATH can install itself:
`PYTHONPATH=poolkeeper-1.0-py3-none-any.whl python3.11 -m agent.install …`.
"""
