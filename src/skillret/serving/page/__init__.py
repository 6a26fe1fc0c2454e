"""The page that people look at: searching, the map of a library, its findings and the log."""
