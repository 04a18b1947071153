"""Images that a model asks for against images chosen at random."""
