"""What the job, the functions and the tools share of AWS."""
