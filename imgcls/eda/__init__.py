"""Looking at the data before anything is trained: facts, findings, and the pictures of both."""
