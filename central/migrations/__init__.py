"""The history of central's schema; `poolkeeper central migrate` walks it."""
