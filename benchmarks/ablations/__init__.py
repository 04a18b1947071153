"""What each default is worth."""
