"""Renderables for rich: they show what others computed, and compute nothing."""
