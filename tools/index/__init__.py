"""`./build.sh index`: a run's results in OpenSearch."""
