"""Predictions: what is done to probabilities after the model gave them; nothing here trains."""
