"""The shipped recipes, one to a file; installed as `imgcls_recipes`."""
