"""Reports: folds of the journal, as bytes. Floor 2, pure: written to files elsewhere."""
