"""What the problem is (imgcls.toml), and what of the data is left out or kept together (findings.toml)."""
