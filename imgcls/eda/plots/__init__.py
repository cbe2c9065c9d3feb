"""Pictures of a data set: how its classes are spread, what its photographs look like, and what was found in them."""
