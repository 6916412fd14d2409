"""The equal work in Pillow: input, output, quality."""

import sys

from PIL import Image, ImageFilter

image = Image.open(sys.argv[1])
sobel = ImageFilter.Kernel((3, 3), (1, 0, -1, 2, 0, -2, 1, 0, -1), scale=1)
image.filter(sobel).save(sys.argv[2], quality=90)
