"""Sizes and monthly costs of the job on Managed Flink and of the Lambda function."""
