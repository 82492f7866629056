"""`./build.sh run`: the job on this machine, in a mini-cluster of its own."""
