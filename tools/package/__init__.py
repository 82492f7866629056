"""`./build.sh package` and `package-lambda`: the zips for AWS."""
