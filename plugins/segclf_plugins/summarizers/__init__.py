"""Plugins that come with segclf."""
