"""Django plumbing without a business word: tenancy, actors, jobs, audit, state moves, REST base."""
