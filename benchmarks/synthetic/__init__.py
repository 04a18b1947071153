"""The S4C paper's Figure 5."""
