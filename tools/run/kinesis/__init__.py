"""`./build.sh run --kinesis`: the same between emulated streams."""
