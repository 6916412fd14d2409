"""The equal work in OpenCV: input, output."""

import sys

import cv2
import numpy as np

cv2.setNumThreads(2)
sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
image = cv2.imread(sys.argv[1])
assert image is not None
found = cv2.filter2D(image, -1, sobel, borderType=cv2.BORDER_REPLICATE)
cv2.imwrite(sys.argv[2], found, [cv2.IMWRITE_JPEG_QUALITY, 90])
