"""The cost of the training loop."""
