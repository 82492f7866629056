"""`./build.sh deploy`: the application on the managed service."""
