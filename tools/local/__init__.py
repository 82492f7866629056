"""What commands share that work on this machine: the mini-cluster, and the files of a run."""
