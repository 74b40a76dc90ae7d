"""Telling people what is wrong, once, and when it is over."""
