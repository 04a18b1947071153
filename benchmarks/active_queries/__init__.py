"""Images chosen by a model, compared with images chosen at random."""
