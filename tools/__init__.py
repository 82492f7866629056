"""Commands for people: `./build.sh help` lists them. Nothing here goes into a zip for AWS."""
