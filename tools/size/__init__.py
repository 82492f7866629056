"""`./build.sh size`: capacity and monthly cost."""
