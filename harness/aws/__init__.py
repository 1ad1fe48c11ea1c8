"""AWS itself as the place of a run (docs/beyond.md). Nothing here asks for what AWS does not answer."""
