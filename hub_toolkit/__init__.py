"""Study and build personal memory for language models."""

__version__ = "0.1.0"
