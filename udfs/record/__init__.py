"""Makes the JSON of an enriched record out of its parts."""
