"""Pure transforms of web server access logs: one line in, one outcome out.

Nothing here knows about AWS or files of a run; the packages around it do. The modules named
``flink*`` alone know Flink. Start reading at :mod:`udfs.enrichment`.
"""
