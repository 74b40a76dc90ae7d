"""All SQL of central's operator side. Functions take a connection, return values, never commit."""
