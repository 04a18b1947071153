"""What misleads."""
