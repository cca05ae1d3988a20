"""Which patches of a grid are hidden, with static shapes."""
