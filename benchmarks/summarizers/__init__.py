"""From mask to label."""
