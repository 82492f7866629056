"""Settings: property groups, where they come from, and the groups of the core."""
