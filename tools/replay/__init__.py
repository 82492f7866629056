"""`./build.sh replay`: dead letters, and their way back."""
