"""Renderables for rich: what others computed, as words, tables and pages."""
