"""Kernels: what one is, where it comes from, how it is written.

Hands out `Kernel` and what follows from its weights alone, the catalogues, the families (kernels by
formula), recipes of several kernels, and readers and writers for other tools' texts and files.
Never sees a sample or a picture.
"""
