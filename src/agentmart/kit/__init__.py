"""Pure Python without Django: errors, ids, clock, states, money, periods, tokens, logging."""
