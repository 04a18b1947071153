"""Seconds to a given quality, against what others do."""
