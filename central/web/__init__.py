"""The pages on which operators live: HTML from the same store functions as the API."""
