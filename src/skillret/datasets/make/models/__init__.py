"""Language models behind a URL: asked within a budget, believed as far as can be checked."""
