"""Slow look-ups beside the stream: reverse DNS, reference data in DynamoDB."""
