"""How soon an open page knows that its session has ended, on one clock."""
