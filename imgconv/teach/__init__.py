"""What is looked at: kernels as text, sheets, the arithmetic of a pixel, pages, previews, learning.

Hands out texts, pictures and pages of what the lower wings compute. Never computes a pixel by a
rule of its own, and never prints.
"""
