"""Looking at the data before training: facts, findings and pictures of a data set."""
