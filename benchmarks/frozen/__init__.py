"""A frozen encoder under several heads, with few labels."""
