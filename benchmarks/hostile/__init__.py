"""Tests with malicious files and plugins."""
