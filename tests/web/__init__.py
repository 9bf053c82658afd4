"""The web layer, over real connections."""
