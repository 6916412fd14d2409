"""Many inputs: which they are, where each goes, what became of it.

Hands out jobs from what a user names, runs of them on threads here or on the workers of a Dask
scheduler, journals from which a run goes on, and reports. Never touches a pixel itself.
"""
