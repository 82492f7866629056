"""`./build.sh sql`: Flink's SQL client with the job's tables and functions."""
