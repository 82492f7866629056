"""The local dashboard: a run seen in the browser, while it goes and afterwards."""
