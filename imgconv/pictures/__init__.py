"""Pictures: from files to pixels and back, with all that a file says beside its pixels.

Hands out `Pixels` (channels by name), `Picture` (the frames of a file), the table of formats, the
readers and writers of each, and bytes on disk, in pipes and in stores. Never filters: no kernel is
known here.
"""
