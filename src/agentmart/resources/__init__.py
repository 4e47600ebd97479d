"""What runs: a buyer's live instance of an offering, and the buyer's settings of it."""
