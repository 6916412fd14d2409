"""The arithmetic: from samples in memory and a kernel to responses and levels.

Hands out the geometry (padding, border, stride, dilation), the levels, `Samples` (memory, whoever
owns it) and steps that run over them on threads, through code that is compiled once and kept.
Never opens a picture, and knows neither formats nor the names of channels.
"""
