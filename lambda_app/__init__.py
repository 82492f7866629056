"""The core as AWS Lambda functions: a Firehose transformation and a Kinesis consumer.

Start reading at :mod:`lambda_app.firehose`; :mod:`lambda_app.firehose_handler` and
:mod:`lambda_app.kinesis_handler` are the handlers that Lambda calls.
"""
