"""What was used: one immutable event per call, its hourly sums, and the calls under way."""
