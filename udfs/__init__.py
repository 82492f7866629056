"""Pure transforms of web server access logs: one line in, one outcome out.

Nothing here knows AWS or the files of a run, and only `udfs.flink` knows Flink. Start reading
at `udfs.enrichment`.
"""
