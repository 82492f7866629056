"""The core as a function of Flink: the border, metrics, progress and log.

No other package of the core knows Flink; the zip for Lambda goes without this one.
"""
