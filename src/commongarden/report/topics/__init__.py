"""Each topic of the report: what is to be shown of it, gathered from the store."""
