"""What the loop costs."""
