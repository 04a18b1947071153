"""Few labels of real images: the defaults of all classifiers."""
