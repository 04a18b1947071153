"""The effect of each default."""
