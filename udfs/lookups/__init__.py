"""What the look-ups of job and function share: settings, caches, and what records get."""
