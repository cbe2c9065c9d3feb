"""The items of the method, each ticked by evidence that lies in a workspace."""
