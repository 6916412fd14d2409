"""Many inputs: which they are, where each goes, what became of it.

Hands out jobs from what a user names, runs of them in processes here (on threads, where a process
cannot be forked) or on the workers of a Dask scheduler, journals from which a run goes on, and
reports. Never touches a pixel itself.
"""
