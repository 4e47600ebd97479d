"""The queries behind the reports: one file per report, a constant number of statements each."""
