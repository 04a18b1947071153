"""Seconds to a given quality, compared with other libraries."""
