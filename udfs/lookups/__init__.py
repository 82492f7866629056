"""Look-ups as job and function share them: settings, caches, additions to records."""
