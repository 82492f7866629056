"""The core as AWS Lambda functions: a Firehose transformation and a Kinesis consumer.

Start reading at `lambda_app.firehose`; `lambda_app.firehose_handler` and
`lambda_app.kinesis_handler` are the handlers that Lambda calls.
"""
