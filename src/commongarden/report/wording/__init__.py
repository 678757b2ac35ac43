"""Every sentence, label and number format of the report, and nothing of how it looks."""
