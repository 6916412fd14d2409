"""What is looked at: kernels as text, sheets, the arithmetic of a pixel, pages, previews, learning.

Hands out texts, pictures and pages about what the lower wings compute, whose rules it says again
in words. Never writes a file, and never prints.
"""
