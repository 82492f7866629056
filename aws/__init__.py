"""AWS, as the job, the functions and the tools share it."""
