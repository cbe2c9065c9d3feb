"""Records: what a training leaves behind, written atomically, read strictly, found by key."""
