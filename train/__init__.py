"""Training with TRL: recipes that read top to bottom. It runs from a checkout and is not in the wheel."""

from hub_toolkit.settings import prepare_hub_client

# Whatever a recipe imports next imports the Hub's client.
prepare_hub_client()
