"""One picture through its kernels: channels once at the start, levels once at the end.

Hands out `layout` (a user's padding and border, checked), `Work` (what is done to every picture)
and what does it: to a picture in memory, band by band while it is read and written, or piece by
piece to one that is larger than memory. Never walks a folder, nor names an output.
"""
