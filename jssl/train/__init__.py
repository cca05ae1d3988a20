"""Training: state, step, optimisers, schedules, checkpoints and the loop, one module each."""
