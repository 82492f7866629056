"""Pure transforms of web server access logs: one line in, one outcome out.

Nothing here knows about Flink, AWS or files of a run; the packages around it do. Start reading at
:mod:`udfs.enrichment`.
"""
