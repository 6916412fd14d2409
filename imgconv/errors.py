"""What can go wrong: each message says what, the value and the remedy, on one line."""


class ImgconvError(Exception):
    """The base of every error that imgconv raises on purpose."""


class KernelError(ImgconvError):
    """A kernel, or the text that should name one, is not usable."""


class OptionError(ImgconvError):
    """An option has a value that it cannot take."""


class GeometryError(ImgconvError):
    """Image, kernel, padding, stride and dilation do not fit together."""


class ImageError(ImgconvError):
    """An image cannot be read, kept or written."""
